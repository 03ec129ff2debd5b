<?php
// GET /usage: pages as one value; all records through a cursor, a few thousand at a time.

declare(strict_types=1);

const RECORDS = <<<'SQL'
    SELECT '{"message_id":' || message_id || ',"timestamp":"'
        || replace(to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '')
        || 'Z"' || coalesce(',"report_name":' || to_json(report_name)::text, '')
        || ',"credits_used":' || credit_hundredths / 100 || '.'
        || right((100 + credit_hundredths % 100)::text, 2) || '}' AS record
    FROM usage_record ORDER BY "timestamp", message_id
    SQL;

const PAGE = 'SELECT string_agg(record, \',\') FROM (' . RECORDS . ' LIMIT $1) AS page';

const FETCH_COUNT = 5000;

function read_records(): void
{
    $limit = $_GET['limit'] ?? null;
    if ($limit === null) {
        read_all(database());
    } elseif (is_string($limit) && ctype_digit($limit) && (int) $limit > 0) {
        $page = pg_fetch_result(query(database(), PAGE, [(int) $limit]), 0, 0);
        header('Content-Type: application/json');
        echo '{"usage":[', $page, ']}';
    } else {
        problem(400, 'limit must be a positive number');
    }
}

function read_all(PgSql\Connection $connection): void
{
    query($connection, 'BEGIN READ ONLY; SET LOCAL jit = off; SET LOCAL cursor_tuple_fraction = 1; '
        . 'DECLARE records NO SCROLL CURSOR FOR ' . RECORDS);
    try {
        header('Content-Type: application/json');
        echo '{"usage":[';
        $separator = '';
        $fetch = 'FETCH ' . FETCH_COUNT . ' FROM records';
        // The next records come while these are sent.
        pg_send_query($connection, $fetch);
        while (($result = pg_get_result($connection)) && pg_result_status($result) === PGSQL_TUPLES_OK
            && ($records = pg_fetch_all_columns($result))) {
            pg_get_result($connection);
            pg_send_query($connection, $fetch);
            echo $separator, implode(',', $records);
            $separator = ',';
        }
        if (!$result || pg_result_status($result) !== PGSQL_TUPLES_OK) {
            throw new DatabaseFault(pg_last_error($connection));
        }
        pg_get_result($connection);
        echo ']}';
    } finally {
        pg_query($connection, 'ROLLBACK');
    }
}
