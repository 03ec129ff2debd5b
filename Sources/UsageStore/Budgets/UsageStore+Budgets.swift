import Postgres
public import Usage

extension UsageStore {
    /// All budgets, also those that have ended or not begun, by name, then by beginning.
    public func allBudgets() throws -> [Budget] {
        try reportingUnavailability {
            var list = SelectList()
            let fields = BudgetFields(&list)
            let reader = try QueryReader(
                try connected(), "all_budgets",
                """
                SELECT \(list.sql) FROM budget JOIN usage_zone USING (zone_id)
                ORDER BY budget.name, budget.begins_at
                """)
            var budgets: [Budget] = []
            while try reader.next() { budgets.append(fields.budget(reader)) }
            return budgets
        }
    }

    /// Adds a budget; returns it with its beginning.
    ///
    /// Throws `AdministrationFault` if its zone has no complete sums, or if another budget has the name
    /// at that time.
    public func add(_ budget: Budget) throws -> Budget {
        try reportingUnavailability {
            let (user, team): (String, String) =
                switch budget.target {
                case .everybody: ("", "")
                case .user(let user): (user, "")
                case .team(let team): ("", team)
                }
            do {
                let row = try connected().query(
                    """
                    WITH added AS (
                        INSERT INTO budget (name, user_id, team_id, credit_hundredths, every, month_start,
                            zone_id, begins_at, ends_at, thresholds)
                        SELECT $1::text, $2::text, $3::text, $4::bigint, $5::text, $6::smallint, zone_id,
                            coalesce($7::timestamptz, now()), $8::timestamptz, $9::smallint[]
                        FROM usage_zone WHERE name = $10::text AND is_built AND (
                            complete_from IS NULL OR complete_from <= now() - interval '32 days')
                        RETURNING begins_at
                    )
                    SELECT to_char(begins_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM added
                    """,
                    [
                        budget.name, user, team, String(budget.credits.hundredths),
                        budget.every.rawValue, String(budget.monthStart),
                        budget.beginsAt?.description, budget.endsAt?.description,
                        "{\(budget.thresholds.map(String.init).joined(separator: ","))}",
                        budget.zone,
                    ])
                guard row.count > 0, let beginning = row[0, 0].flatMap(Timestamp.init) else {
                    throw AdministrationFault(
                        "\(budget.zone) is not a reporting zone with the sums of the last 32 days; "
                            + "see: orbitalctl rollup zones list; to add it: orbitalctl rollup zones "
                            + "add \(budget.zone)")
                }
                return budget.beginning(at: beginning)
            } catch let error as PostgresError
                where error.state.hasPrefix("23") || error.state == "54000"
            {
                throw AdministrationFault(error.message)
            }
        }
    }

    /// Ends the budget with this name that is in force at `end` (nil for now) or begins later.
    ///
    /// It ends at that time, or at its beginning. Throws `AdministrationFault` if there is none.
    public func endBudget(_ name: String, at end: Timestamp?) throws -> (
        budget: Budget, end: Timestamp
    ) {
        try reportingUnavailability {
            do {
                let row = try connected().query(
                    """
                    UPDATE budget SET ends_at = greatest(begins_at, coalesce($2::timestamptz, now()))
                    WHERE budget_id = (
                        SELECT budget_id FROM budget
                        WHERE name = $1::text
                            AND coalesce(ends_at, 'infinity')
                                > greatest(begins_at, coalesce($2::timestamptz, now()))
                        ORDER BY begins_at LIMIT 1)
                    RETURNING to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                    """, [name, end?.description])
                guard row.count > 0, let end = row[0, 0].flatMap(Timestamp.init),
                    let budget = try allBudgets().last(where: {
                        $0.name == name && $0.endsAt == end
                    })
                else {
                    throw AdministrationFault(
                        "no budget \"\(name)\" is in force then; see: orbitalctl budgets list")
                }
                return (budget, end)
            } catch let error as PostgresError where error.state.hasPrefix("23") {
                throw AdministrationFault(error.message)
            }
        }
    }
}

extension Budget {
    fileprivate func beginning(at instant: Timestamp) -> Budget {
        Budget(
            name: name, target: target, credits: credits, every: every, monthStart: monthStart,
            zone: zone, beginsAt: instant, endsAt: endsAt, thresholds: thresholds)
    }
}
