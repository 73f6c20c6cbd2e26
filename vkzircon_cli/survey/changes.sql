-- What differs between the last run of each device before and its last run after, by the rules of vkzircon diff:
-- devices are paired by UUID, then by model (first at the same index), and each is paired once.
WITH runs_before AS (
  SELECT
    devices.*,
    ROW_NUMBER() OVER (PARTITION BY device_key ORDER BY reports.started DESC, reports.report) AS age
  FROM devices
  INNER JOIN reports ON reports.report = devices.report
  WHERE selected AND TRUE /* where */ AND TRUE /* before */
),
runs_after AS (
  SELECT
    devices.*,
    ROW_NUMBER() OVER (PARTITION BY device_key ORDER BY reports.started DESC, reports.report) AS age
  FROM devices
  INNER JOIN reports ON reports.report = devices.report
  WHERE selected AND TRUE /* where */ AND TRUE /* after */
),
was AS (SELECT * FROM runs_before WHERE age = 1),
now AS (SELECT * FROM runs_after WHERE age = 1),
by_uuid AS (
  SELECT was.device_key AS was_key, now.device_key AS now_key
  FROM was
  INNER JOIN now ON now.device_uuid = was.device_uuid
),
was_left AS (
  SELECT was.*, ROW_NUMBER() OVER (PARTITION BY device_model, device ORDER BY was.device_key) AS place
  FROM was
  LEFT JOIN by_uuid ON by_uuid.was_key = was.device_key
  WHERE by_uuid.was_key IS NULL
),
now_left AS (
  SELECT now.*, ROW_NUMBER() OVER (PARTITION BY device_model, device ORDER BY now.device_key) AS place
  FROM now
  LEFT JOIN by_uuid ON by_uuid.now_key = now.device_key
  WHERE by_uuid.now_key IS NULL
),
by_index AS (
  SELECT was_left.device_key AS was_key, now_left.device_key AS now_key
  FROM was_left
  INNER JOIN now_left
    ON now_left.device_model = was_left.device_model
    AND now_left.device = was_left.device
    AND now_left.place = was_left.place
),
was_rest AS (
  SELECT
    was_left.device_key,
    was_left.device_model,
    ROW_NUMBER() OVER (PARTITION BY device_model ORDER BY was_left.device, was_left.device_key) AS turn
  FROM was_left
  LEFT JOIN by_index ON by_index.was_key = was_left.device_key
  WHERE by_index.was_key IS NULL
),
now_rest AS (
  SELECT
    now_left.device_key,
    now_left.device_model,
    ROW_NUMBER() OVER (PARTITION BY device_model ORDER BY now_left.device, now_left.device_key) AS turn
  FROM now_left
  LEFT JOIN by_index ON by_index.now_key = now_left.device_key
  WHERE by_index.now_key IS NULL
),
pairs AS (
  SELECT was_key, now_key, 'UUID' AS matched_by FROM by_uuid
  UNION ALL
  SELECT was_key, now_key, 'name' AS matched_by FROM by_index
  UNION ALL
  SELECT was_rest.device_key AS was_key, now_rest.device_key AS now_key, 'name' AS matched_by
  FROM was_rest
  INNER JOIN now_rest ON now_rest.device_model = was_rest.device_model AND now_rest.turn = was_rest.turn
),
was_said AS (
  SELECT pairs.now_key, verdicts.check_id, verdicts.outcome, verdicts.sentence
  FROM pairs
  INNER JOIN was ON was.device_key = pairs.was_key
  INNER JOIN verdicts ON verdicts.report = was.report AND verdicts.device = was.device
),
now_said AS (
  SELECT pairs.now_key, verdicts.check_id, verdicts.outcome, verdicts.sentence
  FROM pairs
  INNER JOIN now ON now.device_key = pairs.now_key
  INNER JOIN verdicts ON verdicts.report = now.report AND verdicts.device = now.device
),
severity AS (
  SELECT 'pass' AS outcome, 0 AS weight, 'good' AS class
  UNION ALL SELECT 'info', 1, 'good'
  UNION ALL SELECT 'skip', 2, 'skip'
  UNION ALL SELECT 'warn', 3, 'bad'
  UNION ALL SELECT 'fail', 4, 'bad'
  UNION ALL SELECT 'timeout', 5, 'bad'
  UNION ALL SELECT 'crash', 6, 'bad'
),
compared AS (
  SELECT
    COALESCE(was_said.now_key, now_said.now_key) AS now_key,
    COALESCE(was_said.check_id, now_said.check_id) AS check_id,
    was_said.outcome AS outcome_before,
    now_said.outcome AS outcome_after,
    COALESCE(now_said.sentence, was_said.sentence) AS sentence,
    -- A check that needs an option which was not given says nothing about the driver.
    CASE
      WHEN was_said.outcome = 'skip'
        THEN POSITION('--stress' IN was_said.sentence) + POSITION('--negative' IN was_said.sentence)
      WHEN now_said.outcome = 'skip'
        THEN POSITION('--stress' IN now_said.sentence) + POSITION('--negative' IN now_said.sentence)
      ELSE 0
    END AS unasked
  FROM was_said
  FULL OUTER JOIN now_said ON now_said.now_key = was_said.now_key AND now_said.check_id = was_said.check_id
),
verdict_changes AS (
  SELECT
    CASE
      WHEN outcome_before IS NULL THEN 'new'
      WHEN outcome_after IS NULL THEN 'gone'
      WHEN unasked > 0 THEN 'changed'
      WHEN s_before.class = 'bad' AND s_after.class = 'skip' THEN 'changed'
      WHEN s_before.class = 'good' AND s_after.class = 'good' THEN 'changed'
      WHEN s_after.weight > s_before.weight THEN 'worse'
      ELSE 'better'
    END AS kind,
    compared.*
  FROM compared
  LEFT JOIN severity AS s_before ON s_before.outcome = outcome_before
  LEFT JOIN severity AS s_after ON s_after.outcome = outcome_after
  WHERE outcome_before IS NULL OR outcome_after IS NULL OR outcome_before <> outcome_after
),
everything AS (
  SELECT
    verdict_changes.kind,
    verdict_changes.check_id,
    now.device_name,
    was.driver_version AS driver_before,
    now.driver_version AS driver_after,
    verdict_changes.outcome_before,
    verdict_changes.outcome_after,
    verdict_changes.sentence,
    pairs.matched_by,
    now.device_key
  FROM verdict_changes
  INNER JOIN pairs ON pairs.now_key = verdict_changes.now_key
  INNER JOIN was ON was.device_key = pairs.was_key
  INNER JOIN now ON now.device_key = pairs.now_key
  UNION ALL
  SELECT 'new', NULL, now.device_name, NULL, now.driver_version, NULL, NULL, NULL, NULL, now.device_key
  FROM now
  LEFT JOIN pairs ON pairs.now_key = now.device_key
  WHERE pairs.now_key IS NULL
  UNION ALL
  SELECT 'gone', NULL, was.device_name, was.driver_version, NULL, NULL, NULL, NULL, NULL, was.device_key
  FROM was
  LEFT JOIN pairs ON pairs.was_key = was.device_key
  WHERE pairs.was_key IS NULL
)
SELECT *
FROM everything
ORDER BY
  CASE kind WHEN 'worse' THEN 1 WHEN 'better' THEN 2 WHEN 'changed' THEN 3 WHEN 'new' THEN 4 ELSE 5 END,
  COALESCE(check_id, ''),
  device_name,
  device_key
