<?php
// The usage API in PHP: PHP-FPM with a persistent connection per worker.

declare(strict_types=1);

require __DIR__ . '/read.php';
require __DIR__ . '/record.php';

final class DatabaseFault extends RuntimeException
{
}

function database(): PgSql\Connection
{
    $connection = @pg_pconnect(getenv('DATABASE_URL'));
    if ($connection === false) {
        throw new DatabaseFault('no connection');
    }
    return $connection;
}

function query(PgSql\Connection $connection, string $statement, array $values = []): PgSql\Result
{
    $result = $values ? @pg_query_params($connection, $statement, $values) : @pg_query($connection, $statement);
    if ($result === false) {
        throw new DatabaseFault(pg_last_error($connection));
    }
    return $result;
}

function problem(int $status, string $text): void
{
    http_response_code($status);
    header('Content-Type: text/plain');
    echo $text;
}

function healthy(): void
{
    header('Content-Type: application/json');
    echo '{"status":"healthy","timestamp":"', gmdate('Y-m-d\TH:i:s\Z'), '"}';
}

function route(): void
{
    $method = $_SERVER['REQUEST_METHOD'];
    switch ($_SERVER['SCRIPT_NAME']) {
        case '/usage':
            if ($method === 'GET') {
                read_records();
            } elseif ($method === 'POST') {
                record_messages();
            } else {
                header('Allow: GET, POST');
                problem(405, 'GET and POST only');
            }
            return;
        case '/health':
            query(database(), 'SELECT 1');
            healthy();
            return;
        case '/health/live':
            healthy();
            return;
        default:
            problem(404, 'nothing is here');
    }
}

try {
    route();
} catch (DatabaseFault $fault) {
    error_log($fault->getMessage());
    // An answer that has begun ends without its closing brackets.
    if (!headers_sent()) {
        problem(503, 'the database does not answer');
    }
}
