-- How many runs meet each check, of how many in which it was judged, for each group of devices; the worst checks first.
WITH chosen AS (
  SELECT
    devices.report,
    devices.device,
    CONCAT(COALESCE(driver_name, 'unknown'), ' ', COALESCE(driver_version, 'unknown')) AS driver,
    'all' /* by */ AS group_name
  FROM devices
  WHERE selected AND TRUE /* where */
),
judged AS (
  SELECT
    chosen.driver,
    chosen.group_name,
    verdicts.check_id,
    CASE WHEN verdicts.outcome IN ('pass', 'info') THEN 1 ELSE 0 END AS is_met,
    CASE WHEN verdicts.outcome = 'skip' THEN 0 ELSE 1 END AS is_judged,
    CASE WHEN verdicts.outcome IN ('fail', 'timeout', 'crash') THEN 1 ELSE 0 END AS is_failed
  FROM chosen
  INNER JOIN verdicts ON verdicts.report = chosen.report AND verdicts.device = chosen.device
),
worst AS (
  SELECT
    check_id,
    SUM(is_failed) AS failed_in_all,
    SUM(is_judged) - SUM(is_met) AS unmet_in_all,
    COUNT(DISTINCT CASE WHEN is_failed = 1 THEN driver END) AS failing_drivers
  FROM judged
  GROUP BY check_id
)
SELECT
  judged.check_id,
  judged.group_name,
  SUM(is_met) AS met,
  SUM(is_judged) AS judged,
  SUM(is_failed) AS failed,
  MAX(worst.failing_drivers) AS failing_drivers
FROM judged
INNER JOIN worst ON worst.check_id = judged.check_id
GROUP BY judged.check_id, judged.group_name
ORDER BY MAX(worst.failed_in_all) DESC, MAX(worst.unmet_in_all) DESC, judged.check_id, judged.group_name
