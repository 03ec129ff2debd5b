import ArgumentParser
import Configuration
import Encoding
import Foundation
import Usage
import UsageStore

/// Adds, lists and ends budgets.
struct Budgets: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds, lists and ends budgets.",
        discussion: """
            A budget is the credits that everybody, a team or a user may use in each month, week or \
            day. Nothing is refused when it is used up: GET /budgets says how much is left, and \
            orbitalctl notify reports thresholds. A budget does not change: to give it other credits, \
            end it and add another one with the same name.
            """,
        subcommands: [Add.self, List.self, End.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a budget.",
            discussion: """
                Its periods are whole: also the first one counts all records in it, from before the \
                budget, too. Thresholds that they have reached are reported at once.

                Example: orbitalctl budgets add 'legal team' --credits 5000 --team legal --every month \
                --thresholds 80,100
                """)

        @Argument(help: "Its name, a segment of the path /budgets/NAME.") var name: String
        @Option(help: "The credits of each period, such as 5000 or 99.50.") var credits: String
        @Option(help: "The user whose records count. (default: everybody)") var user: String?
        @Option(help: "The team whose records count.") var team: String?
        @Option(
            help: "month, week (from Monday) or day.", completion: .list(["month", "week", "day"]))
        var every: String
        @Option(help: "The day on which months start, from 1 to 28. (default: 1)")
        var monthStart: Int?
        @Option(help: "The reporting zone of its days; see: orbitalctl rollup zones.") var tz =
            "UTC"
        @Option(help: "A date or RFC 3339 time at which its life begins. (default: now)")
        var from: String?
        @Option(help: "A date or RFC 3339 time at which its life ends. (default: never)")
        var to: String?
        @Option(help: "The percentages that are reported, at most ten, from 1 to 1000.")
        var thresholds = "50,80,100"

        func validate() throws {
            if let fault = Budget.faults(name: name).first {
                throw ValidationError("NAME: \(fault.message)")
            }
            guard parsedCredits != nil else {
                throw ValidationError(
                    "--credits must be from 0.01 to \(Budget.largest) with at most two decimals.")
            }
            guard user == nil || team == nil else {
                throw ValidationError("A budget is of a user or of a team: omit --user or --team.")
            }
            for (value, column) in [(user, UsageRecord.Column.userID), (team, .teamID)] {
                if let fault = value.flatMap({ column.faults($0).first }) {
                    throw ValidationError(
                        "--\(column == .userID ? "user" : "team"): \(fault.message)")
                }
            }
            guard let every = Budget.Period(rawValue: every) else {
                throw ValidationError("--every must be month, week or day.")
            }
            guard monthStart == nil || every == .month else {
                throw ValidationError("--month-start needs --every month.")
            }
            guard ReportingPeriod.monthStarts.contains(monthStart ?? 1) else {
                throw ValidationError("--month-start must be from 1 to 28.")
            }
            guard parsedThresholds != nil else {
                throw ValidationError(
                    "--thresholds must be at most ten ascending percentages from 1 to 1000, such as "
                        + "50,80,100.")
            }
            for (option, value) in [("--from", from), ("--to", to)] {
                guard value.map({ PeriodBound($0) != nil }) ?? true else {
                    throw ValidationError("\(option) must be a date or RFC 3339 with an offset.")
                }
            }
        }

        func run() throws {
            let store = try administratorsStore()
            try requireZone(tz, store)
            guard let credits = parsedCredits, let period = Budget.Period(rawValue: every) else {
                return
            }
            let target: Budget.Target =
                user.map { .user($0) } ?? team.map { .team($0) } ?? .everybody
            let budget = Budget(
                name: name, target: target, credits: credits, every: period,
                monthStart: monthStart ?? 1, zone: tz, beginsAt: try bound(from, store),
                endsAt: try bound(to, store), thresholds: parsedThresholds ?? [])
            if let end = budget.endsAt, end <= max(budget.beginsAt ?? .now, .now) {
                throw Failure(
                    message:
                        "the budget would have ended: --to must be in the future, and after --from",
                    status: EX_DATAERR)
            }
            print("new budget: \(try store.add(budget).line)")
        }

        /// The instant of a bound; a date is the start of the day in the budget's zone.
        private func bound(_ text: String?, _ store: UsageStore) throws -> Timestamp? {
            try text.flatMap(PeriodBound.init).map { try store.instant(of: $0, in: tz) }
        }

        private var parsedCredits: Credits? {
            Credits(credits).flatMap {
                (Credits(hundredths: 1)...Budget.largest).contains($0) ? $0 : nil
            }
        }

        private var parsedThresholds: [Int]? {
            let words = thresholds.split(separator: ",", omittingEmptySubsequences: false)
            let numbers = words.compactMap { Int($0) }
            guard numbers.count == words.count, (1...Budget.thresholdLimit).contains(numbers.count),
                numbers == Set(numbers).sorted(),
                numbers.allSatisfy(Budget.thresholdRange.contains)
            else { return nil }
            return numbers
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the budgets, with what was used of them.",
            discussion: """
                Those in force or later. With --at: the periods that have this time, with all records \
                that are in them now.
                """)

        @Flag(help: "Also list those that have ended, with their last period.") var all = false
        @Option(help: "A date (midnight UTC) or RFC 3339 time. (default: now)") var at: String?
        @OptionGroup var format: ListFormat

        func validate() throws {
            guard at.map({ instant($0) != nil }) ?? true else {
                throw ValidationError("--at must be a date or RFC 3339 with an offset.")
            }
        }

        func run() throws {
            let time = at.flatMap(instant) ?? .now
            let store = try longStore("budgets")
            let snapshot = try store.snapshot()
            defer { store.release() }
            try snapshot.prepareForSums()
            var choice = BudgetChoice()
            choice.hasEnded = all
            let uses = try snapshot.budgets(choice, at: time)
            let later = try store.allBudgets().filter { $0.begins(after: time) }
            let rows = uses.map { ($0.budget, $0 as BudgetUse?) } + later.map { ($0, nil) }
            format.show(rows) { budget, use in
                budget.line + (use.map { "; \($0.line)" } ?? "")
            } members: { row, json in
                row.0.write(to: &json)
                row.1?.write(to: &json)
            }
        }
    }

    struct End: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a budget, now or later.",
            discussion: """
                A budget that has not begun will not begin. Thresholds that are not reported by then are \
                not reported any more.
                """)

        @Argument(help: "Its name.") var name: String
        @Option(help: "A date in its zone, or an RFC 3339 time, in the future. (default: now)")
        var at: String?

        func validate() throws {
            guard at.map({ PeriodBound($0) != nil }) ?? true else {
                throw ValidationError("--at must be a date or RFC 3339 with an offset.")
            }
        }

        func run() throws {
            let store = try administratorsStore()
            let zone = try store.allBudgets().last { $0.name == name }?.zone ?? "UTC"
            let end = try at.flatMap(PeriodBound.init).map { try store.instant(of: $0, in: zone) }
            if let end, end <= .now {
                throw Failure(message: "--at must be in the future", status: EX_DATAERR)
            }
            print("budget \(try store.endBudget(name, at: end).budget.line)")
        }
    }
}
