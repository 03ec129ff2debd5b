import Configuration
import FastCGI
import Glibc
import HTTP
import Metrics
import UsageAPI
import UsageStore

/// `GET /metrics`: the state of the process in the text format of Prometheus; ignores the query.
///
/// `server` is nil in a CGI process.
func metricsRoute(
    _ metrics: ProcessMetrics, _ server: Server?, _ admission: Admission
) -> Route<Principal, Service> {
    Route(
        ProcessMetrics.metricsPath, isPublic: false,
        get: Action(nil) { _, _, service in
            var exposition = metrics.exposition(isDraining: service.isDraining)
            exposition.server(server?.load, admission)
            exposition.database(service.store)
            exposition.cache(service.cache)
            return Response(
                .ok, contentType: Exposition.contentType, fields: [("Cache-Control", "no-store")],
                body: .bytes(Array(exposition.text.utf8)))
        })
}

extension ProcessMetrics {
    /// The counters of this process, and metrics of the process itself.
    fileprivate func exposition(isDraining: Bool) -> Exposition {
        var text = Exposition()
        text.begin("orbital_build_info", .gauge, "The running program; always 1.")
        text.sample([("version", version), ("schema", Schema.version)], 1)
        text.metric(
            "process_start_time_seconds", .gauge, "Start time of the process, in Unix seconds.",
            startSeconds)
        text.process()
        text.metric(
            "orbital_draining", .gauge, "1 while the process is shutting down.", isDraining ? 1 : 0)
        text.requests(requests)
        text.metric(
            "orbital_sent_rows_total", .counter, "Usage records sent.", service.rows.total)
        text.begin("orbital_broken_answers_total", .counter, "Responses that failed midway.")
        text.sample([("cause", "client")], brokenByClients.total)
        text.sample([("cause", "service")], brokenByUs.total)
        text.begin(
            "orbital_query_answers_total", .counter,
            "Query responses by source: client (304), memory, database.")
        text.sample([("source", "client")], service.responsesOfClients.total)
        text.sample([("source", "memory")], service.responsesFromMemory.total)
        text.sample([("source", "database")], service.responsesFromDatabase.total)
        text.begin("orbital_messages_total", .counter, "Messages by outcome.")
        text.sample([("outcome", "created")], service.created.total)
        text.sample([("outcome", "duplicate")], service.duplicates.total)
        text.sample([("outcome", "conflict")], service.conflicts.total)
        text.sample([("outcome", "invalid")], service.invalid.total)
        text.metric(
            "orbital_credits_recorded_total", .counter, "Credits of created messages.",
            hundredths: service.createdHundredths.total)
        text.metric(
            "orbital_database_commands_total", .counter, "Commands sent to PostgreSQL.",
            commands.total)
        text.metric(
            "orbital_database_wait_seconds_total", .counter,
            "Time that workers have waited for PostgreSQL, coalesced queries included.",
            Double(waitMicroseconds.total) / 1_000_000)
        text.metric(
            "orbital_database_failures_total", .counter,
            "Requests that failed because PostgreSQL was unavailable.", databaseFailures.total)
        text.metric(
            "orbital_tokenizer_failures_total", .counter,
            "Requests that failed because the vocabulary of a tokenizer could not be loaded.",
            tokenizerFailures.total)
        text.metric(
            "orbital_dropped_log_lines_total", .counter,
            "Log lines dropped because standard error was not read in time.",
            droppedLogLines.total)
        return text
    }
}

extension Exposition {
    /// The standard process metrics of Prometheus.
    fileprivate mutating func process() {
        var usage = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage)
        metric(
            "process_cpu_seconds_total", .counter, "CPU time, user and system.",
            Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9)
        let pages = processFile("statm").split(separator: " ").dropFirst().first
        metric(
            "process_resident_memory_bytes", .gauge, "Memory in use.",
            (pages.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// The load of the server, and refused requests.
    fileprivate mutating func server(_ load: ServerLoad?, _ admission: Admission) {
        begin(
            "orbital_refusals_total", .counter,
            "Requests refused with a 503, by limit: queue length, connections, workers for long "
                + "responses (bulk), workers that may wait for PostgreSQL (admission).")
        sample([("reason", "queue")], load?.queueRefusals ?? 0)
        sample([("reason", "connections")], load?.connectionRefusals ?? 0)
        sample([("reason", "bulk")], admission.refusals.long)
        sample([("reason", "admission")], admission.refusals.full)
        metric(
            "orbital_bulk_workers", .gauge, "Maximum workers that send long responses.",
            admission.long.limit)
        metric(
            "orbital_bulk_workers_busy", .gauge, "Workers that send long responses now.",
            admission.long.count)
        guard let load else { return }
        metric("orbital_workers", .gauge, "Workers.", load.limits.workers)
        metric(
            "orbital_workers_busy", .gauge, "Workers with a request, including this one.",
            load.busyWorkers)
        metric("orbital_queue_length", .gauge, "Requests that wait for a worker.", load.queued)
        metric(
            "orbital_queue_limit", .gauge, "Maximum queue length; further requests are refused.",
            load.limits.queued)
        metric("orbital_parked_connections", .gauge, "Idle connections.", load.parkedConnections)
        metric(
            "orbital_parked_connections_limit", .gauge, "Maximum idle connections.",
            load.limits.connections)
    }

    /// The results of queries to the database and of the readiness checks.
    fileprivate mutating func database(_ store: UsageStore) {
        let checks = store.readinessChecks()
        begin(
            "orbital_healthy", .gauge,
            "Result of each check of GET /health/ready: 1 is healthy, 0 is not.")
        // If the database is unreachable, there is no check of its schema.
        for check in checks { sample([("check", check.name)], check.fault == nil ? 1 : 0) }
        guard checks.allSatisfy({ $0.fault == nil || $0.name == "tokenizer" }),
            let revision = try? store.revision()
        else { return }
        metric(
            "orbital_revision", .gauge,
            "Revision of records and prices, which changes with them; absent if unreadable.",
            Int(revision))
        guard let operations = try? store.operations() else { return }
        if let expiry = operations.nextKeyExpirySeconds {
            metric(
                "orbital_key_expires_timestamp_seconds", .gauge,
                "Next expiry of a valid API key, in Unix seconds; absent if none expires.",
                expiry)
        }
        if let count = operations.newestWithoutModelRate {
            metric(
                "orbital_newest_records_without_model_rate", .gauge,
                "Of the newest 1,000 records, those with a model that a rate without one has priced.",
                count)
        }
        metric(
            "orbital_unmerged_deltas", .gauge,
            "Deltas that wait to be merged into the rollups, at most a million.",
            operations.unmergedDeltas)
        metric(
            "orbital_attributions", .gauge, "Combinations of user, team, model and tags.",
            operations.attributions.count)
        metric(
            "orbital_attribution_limit", .gauge,
            "ATTRIBUTION_LIMIT: beyond it, messages with a new combination are invalid.",
            operations.attributions.limit)
        begin(
            "orbital_budget_events", .gauge,
            "Crossed thresholds of budgets that orbitalctl notify has not delivered: waiting for an "
                + "attempt, or failed for three days.")
        sample([("state", "waiting")], Int(operations.events.waiting))
        sample([("state", "failed")], Int(operations.events.failed))
        if let oldest = operations.events.oldestWaitingSeconds {
            metric(
                "orbital_budget_event_created_timestamp_seconds", .gauge,
                "Creation of the oldest event that waits, in Unix seconds; absent if none waits.",
                oldest)
        }
        if let isFailing = operations.isArchiveFailing {
            metric(
                "orbital_archive_failing", .gauge,
                "1 if PostgreSQL's last WAL archiving attempt failed; absent without archiving.",
                isFailing ? 1 : 0)
        }
    }

    /// The cached responses.
    fileprivate mutating func cache(_ memory: ResponseCache) {
        begin("orbital_cache_bytes", .gauge, "Bytes of cached responses.")
        sample([("store", "memory")], memory.byteCount)
        begin("orbital_cache_limit_bytes", .gauge, "Maximum bytes of cached responses.")
        sample([("store", "memory")], memory.byteLimit)
    }
}

/// The text of a short file of `/proc/self`.
private func processFile(_ name: String) -> String {
    guard let file = fopen("/proc/self/\(name)", "re") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}
