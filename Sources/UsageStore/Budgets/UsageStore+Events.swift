import Postgres
public import Usage

/// A crossed threshold of a budget, as an event for its receiver.
public struct BudgetEvent: Equatable, Sendable {
    /// Its id, the same in each attempt.
    public let id: String

    /// The JSON that is posted, the same in each attempt.
    public let body: String

    /// The number of attempts, with this one.
    public let attempts: Int64

    /// When the next attempt is due if this one fails; nil if there is none.
    public let nextAttemptAt: Timestamp?
}

/// An attempt to deliver an event.
public struct EventAttempt: Sendable {
    /// The event.
    public let event: BudgetEvent

    /// Why the receiver has not confirmed it; nil if it has.
    public let fault: String?

    /// When the next attempt is due; nil if there is none.
    public let next: Timestamp?
}

/// The state of the deliveries.
public struct EventStatus: Equatable, Sendable {
    /// The number of events that are not delivered yet.
    public let waiting: Int64

    /// When the oldest of these was created.
    public let oldestWaiting: Timestamp?

    /// The same in Unix time.
    public var oldestWaitingSeconds: Int? {
        oldestWaiting.map { Int($0.microseconds / 1_000_000) }
    }

    /// Why its last attempt failed.
    public let fault: String?

    /// The number of events that could not be delivered for three days, and are given up.
    public let failed: Int64
}

extension UsageStore {
    /// How long after its end the records of a period are still looked at, in days.
    private static var lateDays: Int64 { 35 }

    /// Creates the events of all thresholds that are crossed in one snapshot, and have none yet; returns
    /// their number.
    ///
    /// Of the periods of budgets in force, and of those that ended in the last 35 days, after the budget
    /// was added and in its life.
    public func createEvents(at now: Timestamp) throws -> Int {
        let since = Timestamp(
            microseconds: now.microseconds - Self.lateDays * 86_400_000_000)
        let snapshot = try snapshot()
        try snapshot.prepareForSums()
        var choice = BudgetChoice()
        choice.hasEnded = true
        var events: [(number: Int64, use: BudgetUse, threshold: Int)] = []
        for (number, use) in try snapshot.budgetPeriods(choice, at: now, since: since) {
            events += use.crossed.map { (number, use, $0) }
        }
        release()
        if events.isEmpty { return 0 }
        return try reportingUnavailability {
            try QueryReader(
                try connected(), "create_events",
                """
                INSERT INTO budget_event (budget_id, period_start, threshold, body)
                SELECT budget_id, start::timestamptz, threshold::smallint, body
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                    AS event(number, start, threshold, body, of_user)
                    -- An erasure may have replaced the user meanwhile; another waits for this.
                    JOIN budget ON budget_id = number::integer AND user_id = of_user
                FOR SHARE OF budget
                ON CONFLICT DO NOTHING
                RETURNING 1
                """,
                [
                    .array(events.map { String($0.number) }),
                    .array(events.map { $0.use.start.instant.description }),
                    .array(events.map { String($0.threshold) }),
                    .array(events.map { $0.use.event(threshold: $0.threshold, at: now) }),
                    .array(events.map { $0.use.budget.userID ?? "" }),
                ], isStreamed: false
            ).count
        }
    }

    /// Attempts to deliver the event that is due first; nil if none is.
    ///
    /// `post` returns why it failed, nil if the receiver has confirmed the event. No other program makes
    /// an attempt meanwhile; if this one is killed, PostgreSQL notices that at once.
    public func attemptEvent(_ post: (BudgetEvent) -> String?) throws -> EventAttempt? {
        try reportingUnavailability {
            let connection = try connected(isWatching: false)
            while let event = try event("SELECT * FROM take_budget_event()", [], connection) {
                let attempt = try connection.transaction {
                    try self.attempt(event, connection, post)
                }
                if let attempt { return attempt }
            }
            return nil
        }
    }

    /// Attempts to deliver an event that was taken; nil if another program has taken it since.
    private func attempt(
        _ event: BudgetEvent, _ connection: Connection, _ post: (BudgetEvent) -> String?
    ) throws -> EventAttempt? {
        // A program that is stopped must not keep the event.
        try connection.query("SET LOCAL idle_in_transaction_session_timeout = '15s'")
        // An erasure may have replaced the user in its body since; another waits for the attempt.
        let locked = try self.event(
            """
            SELECT * FROM budget_event
            WHERE event_id = $1::uuid AND attempts = $2::integer FOR UPDATE SKIP LOCKED
            """, [.text(event.id), .text(String(event.attempts))], connection)
        guard let event = locked else { return nil }
        let fault = post(event)
        let settled = try self.event(
            "SELECT * FROM settle_budget_event($1::uuid, ($2::text[])[1])",
            [.text(event.id), .array([fault])], connection)
        return EventAttempt(event: event, fault: fault, next: settled?.nextAttemptAt)
    }

    /// The event that `statement` returns; nil if it returns none.
    private func event(
        _ statement: String, _ values: [Parameter], _ connection: Connection
    ) throws -> BudgetEvent? {
        var list = SelectList()
        let id = list.add("event_id", as: String.self)
        let body = list.add("body", as: String.self)
        let attempts = list.add("attempts", as: Int64.self)
        let next = list.add("next_attempt_at", as: Timestamp?.self)
        let row = try QueryReader(
            connection, "event",
            "SELECT \(list.sql) FROM (\(statement)) AS event WHERE event_id IS NOT NULL", values)
        guard try row.next() else { return nil }
        return BudgetEvent(
            id: row[id], body: row[body], attempts: row[attempts], nextAttemptAt: row[next])
    }

    /// Makes the next attempt for all events due now, for three more days; returns their number.
    ///
    /// Also for those that were given up; an event in an attempt stays as it is.
    public func retryEvents() throws -> Int {
        try reportingUnavailability {
            try connected().query(
                """
                UPDATE budget_event SET attempts = 0, next_attempt_at = now(), created_at = now()
                WHERE event_id IN (
                    SELECT event_id FROM budget_event WHERE delivered_at IS NULL
                    FOR UPDATE SKIP LOCKED)
                """
            ).changedCount
        }
    }

    /// Removes delivered events of periods that began more than 400 days ago.
    public func removeOldEvents() throws {
        try reportingUnavailability {
            try connected().query(
                """
                DELETE FROM budget_event
                WHERE period_start < now() - interval '400 days' AND delivered_at IS NOT NULL
                """)
        }
    }

    /// The state of the deliveries.
    public func eventStatus() throws -> EventStatus {
        try reportingUnavailability {
            var list = SelectList()
            let waiting = list.add("count(*)", as: Int64.self)
            let oldest = list.add("min(created_at)", as: Timestamp?.self)
            let fault = list.add("(array_agg(fault ORDER BY created_at))[1]", as: String?.self)
            let failed = list.add(
                """
                SELECT count(*) FROM budget_event
                WHERE next_attempt_at IS NULL AND delivered_at IS NULL
                """, as: Int64.self)
            let row = try QueryReader(
                try connected(), "event_status",
                "SELECT \(list.sql) FROM budget_event WHERE next_attempt_at IS NOT NULL")
            guard try row.next() else {
                return EventStatus(waiting: 0, oldestWaiting: nil, fault: nil, failed: 0)
            }
            return EventStatus(
                waiting: row[waiting], oldestWaiting: row[oldest], fault: row[fault],
                failed: row[failed])
        }
    }
}
