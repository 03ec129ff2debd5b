import Postgres
import Usage

/// The columns of a budget.
struct BudgetFields {
    private let name: Field<String>
    private let user: Field<String>
    private let team: Field<String>
    private let credits: Field<Credits>
    private let every: Field<String>
    private let monthStart: Field<Int64>
    private let zone: Field<String>
    private let beginsAt: Field<Timestamp>
    private let endsAt: Field<Timestamp?>
    private let thresholds: Field<String>

    /// Adds the columns of `budget` and `usage_zone`.
    init(_ list: inout SelectList) {
        name = list.add("budget.name")
        user = list.add("user_id")
        team = list.add("team_id")
        credits = list.add("credit_hundredths")
        every = list.add("every")
        monthStart = list.add("month_start")
        zone = list.add("usage_zone.name")
        beginsAt = list.add("budget.begins_at")
        endsAt = list.add("budget.ends_at")
        thresholds = list.add("array_to_string(thresholds, ' ')")
    }

    /// The budget in a row.
    func budget(_ row: QueryReader) -> Budget {
        let target: Budget.Target =
            if !row[user].isEmpty {
                .user(row[user])
            } else if !row[team].isEmpty {
                .team(row[team])
            } else {
                .everybody
            }
        guard let every = Budget.Period(rawValue: row[every]) else {
            preconditionFailure("a budget has no such period")
        }
        return Budget(
            name: row[name], target: target, credits: row[credits], every: every,
            monthStart: Int(row[monthStart]), zone: row[zone], beginsAt: row[beginsAt],
            endsAt: row[endsAt],
            thresholds: row[thresholds].split(separator: " ").compactMap { Int($0) })
    }
}

/// The statement of periods of budgets, with their sums from rollups.
struct BudgetStatement {
    /// One period.
    struct Row {
        let number: Int64
        let budget: Budget
        let start: LocalTime
        let end: LocalTime
        /// The sum; nil if rollups do not have it.
        let hundredths: Int128?

        /// The use, if rollups have its sum.
        var use: BudgetUse? {
            hundredths.map { BudgetUse(of: budget, from: start, to: end, usedHundredths: $0) }
        }
    }

    let text: String
    let bindings: Bindings

    private let number: Field<Int64>
    private let budget: BudgetFields
    private let start: (Field<Timestamp>, Field<Int64>)
    private let end: (Field<Timestamp>, Field<Int64>)
    private let hundredths: Field<Int128?>

    init(_ choice: BudgetChoice, at instant: Timestamp, since: Timestamp?) {
        var bindings = Bindings()
        var list = SelectList()
        number = list.add("budget.budget_id")
        budget = BudgetFields(&list)
        start = (list.add("period.starts_at"), list.add("starts_offset"))
        end = (list.add("period.ends_at"), list.add("ends_offset"))
        hundredths = list.add(
            "CASE WHEN is_summed THEN coalesce(stored.hundredths, 0) + coalesce(pending.hundredths, 0) END"
        )
        let now = bindings.bind(instant)
        let first = since.map { bindings.bind($0) }
        let chosen = Self.conditions(choice, now, since: first, &bindings)
        text = """
            WITH period AS MATERIALIZED (
                SELECT period.*, target.*, row_number() OVER () AS period_id,
                    dense_rank() OVER (
                        ORDER BY period.zone_id, starts_at, period.ends_at) AS span_id
                FROM budget_periods(\(now), \(first ?? "NULL"), ARRAY(
                    SELECT budget_id FROM budget \(whereClause(chosen)))) AS period
                JOIN budget USING (budget_id), LATERAL (\(Self.part)) AS target
            ), \(Self.sums(from: since == nil ? "usage_value_sums" : Self.bucketRows))
            SELECT \(list.sql)
            FROM period JOIN span USING (span_id)
                LEFT JOIN stored USING (period_id) LEFT JOIN pending USING (period_id)
                JOIN usage_zone ON usage_zone.zone_id = period.zone_id
                JOIN budget ON budget.budget_id = period.budget_id
            \(first.map { Self.hasNews(now, since: $0) } ?? "")
            ORDER BY budget.name, budget_id, period.starts_at
            """
        self.bindings = bindings
    }

    /// The period in a row.
    func row(_ row: QueryReader) -> Row {
        Row(
            number: row[number], budget: budget.budget(row),
            start: LocalTime(row[start.0], offsetSeconds: Int(row[start.1])),
            end: LocalTime(row[end.0], offsetSeconds: Int(row[end.1])), hundredths: row[hundredths])
    }

    private static func conditions(
        _ choice: BudgetChoice, _ now: String, since: String?, _ bindings: inout Bindings
    ) -> [String] {
        var conditions = ["begins_at <= \(now)"]
        if let end = choice.hasEnded ? since : now {
            conditions.append("coalesce(ends_at, 'infinity') > \(end)")
        }
        if let name = choice.name { conditions.append("name = \(bindings.bind(name, as: "text"))") }
        if let targets = choice.targets {
            let any = targets.map { target in
                switch target {
                case .everybody: "user_id = '' AND team_id = ''"
                case .user(let user): "user_id = \(bindings.bind(user, as: "text"))"
                case .team(let team): "team_id = \(bindings.bind(team, as: "text"))"
                }
            }
            conditions.append("(\((any + ["false"]).joined(separator: " OR ")))")
        }
        return conditions
    }

    /// Whether a period that counts for events has a crossed threshold without one.
    private static func hasNews(_ now: String, since: String) -> String {
        """
        WHERE period.ends_at > greatest(added_at, \(since))
            AND (coalesce(budget.ends_at, 'infinity') > \(now) OR period.ends_at <= budget.ends_at)
            AND (NOT is_summed OR EXISTS (
                SELECT FROM unnest(thresholds) AS percent
                WHERE 100 * (coalesce(stored.hundredths, 0) + coalesce(pending.hundredths, 0))
                        >= credit_hundredths::numeric * percent
                    AND NOT EXISTS (
                        SELECT FROM budget_event AS event WHERE event.budget_id = budget.budget_id
                            AND period_start = period.starts_at AND threshold = percent)))
        """
    }

    /// The value at whose level the sums of a budget are.
    private static let part = """
        SELECT CASE WHEN user_id <> '' THEN 'user_id' WHEN team_id <> '' THEN 'team_id' ELSE 'all' END AS part,
            coalesce(nullif(user_id, ''), nullif(team_id, ''), 'records') AS "value"
        """

    /// The sums of periods: `stored` of the month, if it is one of the zone, otherwise of the days; and
    /// `pending` of the deltas.
    ///
    /// They are joined by single numbers: PostgreSQL takes joins by several columns of subqueries for
    /// tiny. Stored buckets do not overlap. So a period is the sum of the days in it, unless one lies
    /// across its bounds, which happens only where the clocks of the zone have changed.
    private static func sums(from rows: String) -> String {
        """
        span AS MATERIALIZED (
            SELECT span.*, month.bucket_id AS month_id,
                zone.is_built AND state.is_built AND coalesce(complete_from, '-infinity') <= span.starts_at
                AND (month.bucket_id IS NOT NULL OR NOT EXISTS (
                    SELECT FROM usage_bucket AS day,
                        (VALUES (span.starts_at), (span.ends_at)) AS bound(instant)
                    WHERE day.zone_id = zone.zone_id AND unit = 'day' AND day.starts_at < instant
                        AND day.starts_at > instant - interval '3 days' AND day.ends_at > instant
                )) AS is_summed
            FROM (SELECT DISTINCT span_id, zone_id, starts_at, ends_at FROM period) AS span
                JOIN usage_zone AS zone USING (zone_id) CROSS JOIN usage_rollup_state AS state
                LEFT JOIN usage_bucket AS month ON month.zone_id = span.zone_id AND month.unit = 'month'
                    AND month.starts_at = span.starts_at AND month.ends_at = span.ends_at
        ), bucket AS MATERIALIZED (
            SELECT span_id, month_id AS bucket_id FROM span WHERE month_id IS NOT NULL
            UNION ALL
            SELECT span_id, bucket_id
            FROM span JOIN usage_bucket AS day ON day.zone_id = span.zone_id AND unit = 'day'
                AND day.starts_at >= span.starts_at AND day.starts_at < span.ends_at
                AND day.ends_at <= span.ends_at
            WHERE month_id IS NULL
        ), stored AS MATERIALIZED (
            SELECT period_id, sum(sums.credit_hundredths) AS hundredths
            FROM period JOIN usage_value USING (part, "value") JOIN bucket USING (span_id)
                JOIN \(rows) AS sums USING (bucket_id, value_id)
            GROUP BY period_id
        ), delta AS MATERIALIZED (
            SELECT quarter, user_id, team_id, sum(credit_hundredths) AS hundredths
            FROM usage_delta LEFT JOIN usage_attribution USING (attribution_id)
            WHERE quarter >= (SELECT min(starts_at) FROM period)
            GROUP BY quarter, user_id, team_id
        ), pending AS MATERIALIZED (
            SELECT period_id, sum(hundredths) AS hundredths
            FROM period JOIN (
                SELECT 'all' AS part, 'records' AS "value", quarter, hundredths FROM delta
                UNION ALL
                SELECT 'user_id', user_id, quarter, hundredths FROM delta
                UNION ALL
                SELECT 'team_id', team_id, quarter, hundredths FROM delta
            ) AS valued USING (part, "value")
            WHERE quarter >= period.starts_at AND quarter < period.ends_at
            GROUP BY period_id
        )
        """
    }

    /// For many periods, all sums of their buckets are read instead of one at a time.
    private static let bucketRows =
        "(SELECT * FROM usage_value_sums WHERE bucket_id = ANY (ARRAY(SELECT bucket_id FROM bucket)))"
}
