-- What differs between the last run of each device before and its last run after, by the rules of vkzircon diff:
-- devices are paired by UUID, then by model (first at the same index), and each is paired once.
WITH runs AS (
  SELECT 'was' AS side, devices.*, reports.started
  FROM devices
  INNER JOIN reports ON reports.report = devices.report
  WHERE selected AND TRUE /* where */ AND TRUE /* before */
  UNION ALL
  SELECT 'now' AS side, devices.*, reports.started
  FROM devices
  INNER JOIN reports ON reports.report = devices.report
  WHERE selected AND TRUE /* where */ AND TRUE /* after */
),
aged AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY side, device_key ORDER BY started DESC, report) AS age FROM runs
),
by_key AS (
  SELECT *, COUNT(*) OVER (PARTITION BY device_key) AS keys FROM aged WHERE age = 1
),
placed AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY side, keys, device_model, device ORDER BY device_key) AS place FROM by_key
),
by_index AS (
  SELECT *, COUNT(*) OVER (PARTITION BY keys, device_model, device, place) AS places FROM placed
),
turned AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY side, keys, places, device_model ORDER BY device, device_key) AS turn
  FROM by_index
),
paired AS (
  SELECT
    *,
    CASE
      WHEN keys = 2 THEN CONCAT('key ', device_key)
      WHEN places = 2
        THEN CONCAT('index ', COALESCE(device_model, device_key), ' ', CAST(device AS VARCHAR(20)), ' ', CAST(place AS VARCHAR(20)))
      ELSE CONCAT('model ', COALESCE(device_model, device_key), ' ', CAST(turn AS VARCHAR(20)))
    END AS pair,
    CASE WHEN keys = 2 AND device_uuid IS NOT NULL THEN 'UUID' ELSE 'name' END AS matched_by
  FROM turned
),
was AS (SELECT * FROM paired WHERE side = 'was'),
now AS (SELECT * FROM paired WHERE side = 'now'),
was_said AS (
  SELECT was.pair, verdicts.check_id, verdicts.outcome, verdicts.sentence
  FROM was
  INNER JOIN now ON now.pair = was.pair
  INNER JOIN verdicts ON verdicts.report = was.report AND verdicts.device = was.device
),
now_said AS (
  SELECT now.pair, verdicts.check_id, verdicts.outcome, verdicts.sentence
  FROM now
  INNER JOIN was ON was.pair = now.pair
  INNER JOIN verdicts ON verdicts.report = now.report AND verdicts.device = now.device
),
compared AS (
  SELECT
    COALESCE(was_said.pair, now_said.pair) AS pair,
    COALESCE(was_said.check_id, now_said.check_id) AS check_id,
    was_said.outcome AS outcome_before,
    now_said.outcome AS outcome_after,
    COALESCE(now_said.sentence, was_said.sentence) AS sentence,
    POSITION(CONCAT(was_said.outcome, '|') IN 'pass|info|skip|warn|fail|timeout|crash|') AS weight_before,
    POSITION(CONCAT(now_said.outcome, '|') IN 'pass|info|skip|warn|fail|timeout|crash|') AS weight_after,
    -- A check that needs an option which was not given says nothing about the driver.
    CASE WHEN was_said.outcome = 'skip' THEN was_said.sentence WHEN now_said.outcome = 'skip' THEN now_said.sentence END
      AS skipped
  FROM was_said
  FULL OUTER JOIN now_said ON now_said.pair = was_said.pair AND now_said.check_id = was_said.check_id
),
changed AS (
  SELECT
    CASE
      WHEN outcome_before IS NULL THEN 'new'
      WHEN outcome_after IS NULL THEN 'gone'
      WHEN POSITION('--stress' IN skipped) > 0 OR POSITION('--negative' IN skipped) > 0 THEN 'changed'
      WHEN outcome_before IN ('warn', 'fail', 'timeout', 'crash') AND outcome_after = 'skip' THEN 'changed'
      WHEN outcome_before IN ('pass', 'info') AND outcome_after IN ('pass', 'info') THEN 'changed'
      WHEN weight_after > weight_before THEN 'worse'
      ELSE 'better'
    END AS kind,
    compared.*
  FROM compared
  WHERE outcome_before IS NULL OR outcome_after IS NULL OR outcome_before <> outcome_after
  UNION ALL
  SELECT
    CASE WHEN was.pair IS NULL THEN 'new' ELSE 'gone' END,
    COALESCE(was.pair, now.pair), NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM was
  FULL OUTER JOIN now ON now.pair = was.pair
  WHERE was.pair IS NULL OR now.pair IS NULL
)
SELECT
  changed.kind,
  changed.check_id,
  COALESCE(now.device_name, was.device_name) AS device_name,
  was.driver_version AS driver_before,
  now.driver_version AS driver_after,
  changed.outcome_before,
  changed.outcome_after,
  changed.sentence,
  CASE WHEN was.pair = now.pair THEN now.matched_by END AS matched_by,
  COALESCE(now.device_key, was.device_key) AS device_key
FROM changed
LEFT JOIN was ON was.pair = changed.pair
LEFT JOIN now ON now.pair = changed.pair
ORDER BY
  CASE changed.kind WHEN 'worse' THEN 1 WHEN 'better' THEN 2 WHEN 'changed' THEN 3 WHEN 'new' THEN 4 ELSE 5 END,
  COALESCE(changed.check_id, ''),
  COALESCE(now.device_name, was.device_name),
  COALESCE(now.device_key, was.device_key)
