import Postgres
public import Usage

/// Which budgets are read.
public struct BudgetChoice: Sendable {
    /// The name; nil for any.
    public var name: String?

    /// Whose budgets; nil for all.
    public var targets: [Budget.Target]?

    /// Whether those whose life is over are read, too.
    public var hasEnded = false

    /// Those in force, of any name.
    public init(targets: [Budget.Target]? = nil) { self.targets = targets }
}

extension Snapshot {
    /// The budgets in force at `instant`, by name, each with the use of the period that has it.
    ///
    /// Those whose life is over come with their last period. The snapshot must be prepared for sums.
    public func budgets(
        _ choice: BudgetChoice = BudgetChoice(), at instant: Timestamp
    ) throws -> [BudgetUse] {
        try budgetPeriods(choice, at: instant).map(\.use)
    }

    /// The same with the number of the budget.
    ///
    /// With `since`: all periods that ended after it, in the life of the budget and after it was added, or
    /// that have `instant`, in which a threshold was crossed and has no event yet. Some may have none.
    func budgetPeriods(
        _ choice: BudgetChoice, at instant: Timestamp, since: Timestamp? = nil
    ) throws -> [(number: Int64, use: BudgetUse)] {
        try reportingUnavailability {
            let statement = BudgetStatement(choice, at: instant, since: since)
            // Its plan does not depend on the values, and planning takes longer than a budget.
            try connection.run("SET LOCAL plan_cache_mode = force_generic_plan", as: "generic")
            if since != nil {
                // Many periods: PostgreSQL expects few, and would compare each with each other.
                try connection.run("SET LOCAL enable_nestloop = off", as: "no_nestloop")
            }
            let reader = try QueryReader(
                connection, "budgets", statement.text, statement.bindings.values)
            var periods: [BudgetStatement.Row] = []
            while try reader.next() { periods.append(statement.row(reader)) }
            try connection.run("SET LOCAL plan_cache_mode = force_custom_plan", as: "custom")
            return try periods.compactMap { row in
                do {
                    return (row.number, try row.use ?? use(row))
                } catch is SumsClosed where since != nil {
                    return nil
                }
            }
        }
    }

    /// The use of a period that is not a sum of stored buckets: while rollups are built, or where the
    /// clocks of the zone have changed.
    private func use(_ row: BudgetStatement.Row) throws -> BudgetUse {
        var filter = UsageFilter()
        filter.from = row.start.instant
        filter.to = row.end.instant
        switch row.budget.target {
        case .everybody: break
        case .user(let user): filter.texts = [(.userID, [user])]
        case .team(let team): filter.texts = [(.teamID, [team])]
        }
        return BudgetUse(
            of: row.budget, from: row.start, to: row.end,
            usedHundredths: try total(filter).hundredths)
    }
}
