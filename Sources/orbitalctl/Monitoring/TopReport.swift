import Foundation

/// The screen of `orbitalctl top`.
struct TopReport {
    private let changes: MetricChanges
    private let now: MetricSamples

    init(before: MetricSamples, now: MetricSamples) {
        changes = MetricChanges(before: before, now: now)
        self.now = now
    }

    /// The lines, each with its end.
    var text: String {
        let facts = [
            ("health", health), ("workers", workers), ("requests", requests),
            ("responses", responses), ("sent", sent), ("messages", messages),
            ("database", database), ("process", process),
        ]
        let lines = facts.map { padded($0.0, 10) + $0.1 }
        return (lines + [""] + table).map { $0 + "\n" }.joined()
    }

    private var health: String {
        let checks = now.values(of: "check", in: "orbital_healthy").map { check in
            let isWell = now.value("orbital_healthy", ["check": check]) == 1
            return "\(check) \(isWell ? "ok" : "FAULT")"
        }
        let revision = now.value("orbital_revision").map { ["revision \(Int($0))"] } ?? []
        let draining = now.value("orbital_draining") == 1 ? ["draining"] : []
        return (checks + revision + draining).joined(separator: ", ")
    }

    private var workers: String {
        "\(whole("orbital_workers_busy")) of \(whole("orbital_workers")) busy, "
            + "\(whole("orbital_bulk_workers_busy")) of \(whole("orbital_bulk_workers")) with long "
            + "responses; queue \(whole("orbital_queue_length")) of \(whole("orbital_queue_limit")); "
            + "\(whole("orbital_parked_connections")) idle connections"
    }

    private var requests: String {
        let errors = changes.rate("orbital_requests_total") { labels in
            MetricChanges.isCounted(labels) && labels["code"]?.hasPrefix("5") == true
        }
        return "\(decimal(changes.rate("orbital_requests_total")))/s, "
            + "p50 \(duration(changes.quantile(0.5))), p95 \(duration(changes.quantile(0.95))); "
            + "errors \(decimal(errors))/s, refused \(decimal(changes.rate("orbital_refusals_total")))/s, "
            + "aborted \(decimal(changes.rate("orbital_broken_answers_total")))/s"
    }

    /// The sources of query responses; all except the database are cache hits.
    private var responses: String {
        let name = "orbital_query_answers_total"
        let total = changes.growth(name)
        guard total > 0 else { return "none" }
        let sources = now.values(of: "source", in: name).map { source in
            let share = changes.growth(name) { $0["source"] == source } / total
            return "\(source) \(decimal(share * 100)) %"
        }
        let missed = changes.growth(name) { $0["source"] == "database" } / total
        return "\(decimal(100 - missed * 100)) % cached: " + sources.joined(separator: ", ")
    }

    private var sent: String {
        "\(decimal(changes.rate("orbital_sent_rows_total"))) rows/s, "
            + "\(decimal(changes.rate("orbital_sent_bytes_total") / 1e6)) MB/s"
    }

    private var messages: String {
        let name = "orbital_messages_total"
        return now.values(of: "outcome", in: name).map { outcome in
            "\(outcome) \(decimal(changes.rate(name) { $0["outcome"] == outcome }))/s"
        }.joined(separator: ", ")
    }

    private var database: String {
        let waiting = changes.rate("orbital_database_wait_seconds_total")
        return "\(decimal(changes.rate("orbital_database_commands_total"))) commands/s, "
            + "\(decimal(waiting)) workers waiting, "
            + "\(decimal(changes.rate("orbital_database_failures_total"))) failures/s"
    }

    private var process: String {
        let seconds = Date().timeIntervalSince1970 - (now.value("process_start_time_seconds") ?? 0)
        let version = now.labels("orbital_build_info")["version"] ?? "?"
        return "version \(version), up \(Int(seconds)) s, "
            + "\(decimal(changes.rate("process_cpu_seconds_total") * 100)) % of a core, "
            + "\(decimal((now.value("process_resident_memory_bytes") ?? 0) / 1e6)) MB"
    }

    /// One line for each requested route.
    private var table: [String] {
        let name = "orbital_requests_total"
        let head = padded("route", 22) + right("requests/s") + right("p50") + right("p95")
        let lines = now.values(of: "route", in: name).compactMap { route -> String? in
            let rate = changes.rate(name) { $0["route"] == route }
            guard rate > 0, route != "/metrics" else { return nil }
            let quantiles = [0.5, 0.95].map { share in
                right(duration(changes.quantile(share) { $0["route"] == route }))
            }
            return padded(route, 22) + right(decimal(rate)) + quantiles.joined()
        }
        return [head] + lines
    }

    private func whole(_ name: String) -> String { now.value(name).map { "\(Int($0))" } ?? "?" }

    private func decimal(_ value: Double) -> String { String(format: "%.1f", value) }

    private func duration(_ seconds: Double?) -> String {
        guard let seconds else { return "-" }
        if seconds == .infinity { return "> 30 s" }
        return seconds < 1 ? "\(decimal(seconds * 1000)) ms" : "\(decimal(seconds)) s"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private func right(_ text: String) -> String {
        String(repeating: " ", count: max(1, 12 - text.count)) + text
    }
}
