import ArgumentParser
import Configuration
import Encoding
import Foundation
import Usage
import UsageStore

/// Finds crossed thresholds of budgets, and posts them to WEBHOOK_URL.
struct Notify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reports crossed thresholds of budgets to WEBHOOK_URL, until it is stopped.",
        discussion: """
            Each crossed threshold is one event for each period. It is posted as JSON, signed as \
            Standard Webhooks has it, until the receiver confirms it with a status from 200 to 299: \
            again after 5 seconds, 30 seconds, 2 minutes, 10 minutes and an hour, then every hour for \
            three days. Each attempt has the same webhook-id, so a receiver can tell repetitions. \
            Several may run at once. After three days, check and /metrics report the event as failed.

            Exit status of --once and --test: 1 if an event was not delivered.
            """)

    @Flag(help: "Find and deliver what is due now, then end; for cron.") var once = false
    @Flag(help: "Post one event of the type budget.test, and end.") var test = false
    @Flag(help: "First make events due that were not delivered, for three more days.")
    var retry = false

    func validate() throws {
        guard !(test && (once || retry)) else {
            throw ValidationError("--test cannot be combined with --once or --retry.")
        }
    }

    func run() throws {
        let settings = try Settings.administrators()
        let webhook = try Webhook(settings)
        if test { return try post(to: webhook) }
        let store = administratorsStore(settings)
        if retry { print("retrying \(counted(try store.retryEvents(), "event"))") }
        if once {
            _ = try store.createEvents(at: .now)
            guard try deliver(store, webhook) else { throw ExitCode.failure }
            return
        }
        // A receiver that takes long must not delay the next look.
        Thread.detachNewThread { find(administratorsStore(settings)) }
        var faults = RepeatedFaults()
        while true {
            faults.report { _ = try deliver(store, webhook) }
            store.release()
            Thread.sleep(forTimeInterval: 1)
        }
    }

    private func post(to webhook: Webhook) throws {
        let id = UUID().uuidString.lowercased()
        let body = #"{"type":"budget.test","timestamp":"\#(Timestamp.now)","data":{}}"#
        if let fault = webhook.post(body, id: id) {
            throw Failure(
                message: "the test event was not delivered: \(fault)", status: EXIT_FAILURE)
        }
        print("delivered the test event \(id)")
    }
}

/// Looks for crossed thresholds with each new revision, and each minute, because periods begin.
private func find(_ store: UsageStore) -> Never {
    var seen: (revision: Int64, minute: Timestamp)?
    var cleaned: Timestamp?
    var faults = RepeatedFaults()
    while true {
        faults.report {
            let now = Timestamp.now
            let revision = try store.revision()
            if seen?.revision != revision || seen?.minute != now.startOfMinute {
                let count = try store.createEvents(at: now)
                if count > 0 { note("orbitalctl: found \(counted(count, "crossed threshold"))") }
                seen = (revision, now.startOfMinute)
            }
            if cleaned.map({ now.microseconds - $0.microseconds > 3_600_000_000 }) ?? true {
                try store.removeOldEvents()
                cleaned = now
            }
        }
        store.release()
        Thread.sleep(forTimeInterval: 1)
    }
}

/// Delivers all events that are due; false if one was not delivered.
private func deliver(_ store: UsageStore, _ webhook: Webhook) throws -> Bool {
    var isDone = true
    while let attempt = try store.attemptEvent({ webhook.post($0.body, id: $0.id) }) {
        let (id, number) = (attempt.event.id, "attempt \(attempt.event.attempts)")
        if let fault = attempt.fault {
            isDone = false
            let next = attempt.next.map { "next attempt at \($0.wholeSeconds)" }
            note(
                "orbitalctl: event \(id) was not delivered, \(number): \(fault); "
                    + (next ?? "given up; see: orbitalctl notify --retry"))
        } else {
            note("orbitalctl: delivered event \(id), \(number)")
        }
    }
    return isDone
}

/// Reports a fault when it begins and when it ends, not each time.
private struct RepeatedFaults {
    private var fault: String?

    mutating func report(_ body: () throws -> Void) {
        do {
            try body()
            if fault != nil { note("orbitalctl: the database is available again") }
            fault = nil
        } catch {
            let text = String(describing: error)
            if text != fault { note("orbitalctl: \(text); trying again each second") }
            fault = text
        }
    }
}
