-- Devices whose last run differs in one thing from all others of the same driver and version, while those agree;
-- at least three devices must have the driver.
WITH runs AS (
  SELECT
    devices.*,
    CONCAT(COALESCE(driver_name, 'unknown'), ' ', COALESCE(driver_version, 'unknown')) AS driver,
    ROW_NUMBER() OVER (
      PARTITION BY device_key, driver_name, driver_version ORDER BY reports.started DESC, reports.report
    ) AS age
  FROM devices
  INNER JOIN reports ON reports.report = devices.report
  WHERE selected AND TRUE /* where */
),
chosen AS (SELECT * FROM runs WHERE age = 1),
traits AS (
  SELECT chosen.driver, chosen.device_key, verdicts.check_id AS what, verdicts.outcome AS seen
  FROM chosen
  INNER JOIN verdicts ON verdicts.report = chosen.report AND verdicts.device = chosen.device
  UNION ALL SELECT driver, device_key, 'device.version', device_version FROM chosen
  UNION ALL SELECT driver, device_key, 'extension.revision', CAST(extension_revision AS VARCHAR(20)) FROM chosen
  UNION ALL SELECT driver, device_key, 'memory.types', CAST(memory_types AS VARCHAR(20)) FROM chosen
  UNION ALL SELECT driver, device_key, 'memory.exportable-types', CAST(memory_exportable_types AS VARCHAR(20)) FROM chosen
  UNION ALL SELECT driver, device_key, 'memory.importable-types', CAST(memory_importable_types AS VARCHAR(20)) FROM chosen
  UNION ALL SELECT driver, device_key, 'vmo.rights', vmo_rights FROM chosen
),
kinds AS (
  SELECT driver, what, COALESCE(seen, 'not seen') AS seen, COUNT(*) AS devices, MAX(device_key) AS device_key
  FROM traits
  GROUP BY driver, what, COALESCE(seen, 'not seen')
),
split AS (
  SELECT driver, what, SUM(devices) AS devices
  FROM kinds
  GROUP BY driver, what
  HAVING COUNT(*) = 2
)
SELECT
  chosen.device_name,
  kinds.driver,
  kinds.what,
  kinds.seen,
  others.seen AS others_seen,
  others.devices AS others,
  kinds.device_key
FROM kinds
INNER JOIN split ON split.driver = kinds.driver AND split.what = kinds.what AND split.devices >= 3
INNER JOIN kinds AS others
  ON others.driver = kinds.driver AND others.what = kinds.what AND others.seen <> kinds.seen
INNER JOIN chosen ON chosen.device_key = kinds.device_key AND chosen.driver = kinds.driver
WHERE kinds.devices = 1
ORDER BY kinds.driver, chosen.device_name, kinds.device_key, kinds.what
