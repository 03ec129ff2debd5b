public import Encoding

/// Credits that everybody, a team or a user may use in a period.
public struct Budget: Equatable, Sendable {
    /// Whose records count.
    public enum Target: Equatable, Sendable {
        /// All records.
        case everybody
        /// Those of a user.
        case user(String)
        /// Those of a team.
        case team(String)
    }

    /// The length of its periods.
    public enum Period: String, CaseIterable, Sendable {
        /// Local days.
        case day
        /// Local weeks, which start on Monday.
        case week
        /// Local months, which start on `monthStart`.
        case month
    }

    /// Its name; at any time, at most one budget has it.
    public let name: String

    /// Whose records count.
    public let target: Target

    /// The credits of each period, greater than 0.
    public let credits: Credits

    /// The length of its periods.
    public let every: Period

    /// The day on which months start, from 1 to 28; 1 unless they are months.
    public let monthStart: Int

    /// The reporting zone of its days.
    public let zone: String

    /// When its life begins; nil for now, if it is not stored yet.
    public let beginsAt: Timestamp?

    /// When its life ends; nil for never.
    public let endsAt: Timestamp?

    /// The percentages of its credits that are reported, ascending, from 1 to 1,000.
    public let thresholds: [Int]

    /// Its user; nil if it is of a team or of everybody.
    public var userID: String? {
        if case .user(let user) = target { user } else { nil }
    }

    /// Makes a budget.
    public init(
        name: String, target: Target, credits: Credits, every: Period, monthStart: Int,
        zone: String, beginsAt: Timestamp?, endsAt: Timestamp?, thresholds: [Int]
    ) {
        self.name = name
        self.target = target
        self.credits = credits
        self.every = every
        self.monthStart = monthStart
        self.zone = zone
        self.beginsAt = beginsAt
        self.endsAt = endsAt
        self.thresholds = thresholds
    }

    /// The number of thresholds that a budget may have.
    public static let thresholdLimit = 10

    /// The thresholds that can be reported, in percent.
    public static let thresholdRange = 1...1000

    /// The largest credits: JavaScript rounds integers above 2^53.
    public static let largest = Credits(hundredths: (1 << 53) - 1)

    /// The faults of `name` as the name of a budget, which is a segment of a path.
    public static func faults(name: String) -> [MessageFault] {
        if [".", ".."].contains(name) || name.utf8.contains(UInt8(ascii: "/")) {
            return [MessageFault("name", .malformed, "name must not contain a / or be . or ..")]
        }
        return UsageRecord.TextLimit.identifier(200).faults(name, "name")
    }
}

/// A period of a budget, and what was used in it.
public struct BudgetUse: Equatable, Sendable {
    /// The budget.
    public let budget: Budget

    /// The first instant of the period, in the zone of the budget.
    public let start: LocalTime

    /// The first instant after it.
    public let end: LocalTime

    /// The credits of the records in the period, in hundredths.
    public let usedHundredths: Int128

    /// Makes a use.
    public init(
        of budget: Budget, from start: LocalTime, to end: LocalTime, usedHundredths: Int128
    ) {
        self.budget = budget
        self.start = start
        self.end = end
        self.usedHundredths = usedHundredths
    }

    /// The credits used.
    public var used: String { Credits.text(hundredths: usedHundredths) }

    /// The credits that are left, in hundredths; negative if the budget is exceeded.
    public var remainingHundredths: Int128 {
        Int128(budget.credits.hundredths) - usedHundredths
    }

    /// The percentage used, with one decimal, rounded down.
    public var percent: String {
        let tenths = floor(usedHundredths * 1000, by: Int128(budget.credits.hundredths))
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }

    /// The thresholds that the credits used have reached.
    public var crossed: [Int] {
        budget.thresholds.filter {
            usedHundredths * 100 >= Int128(budget.credits.hundredths) * Int128($0)
        }
    }

    /// Whether `message`, which is dated now if it has no timestamp, counts in this period.
    public func counts(_ message: UsageRecord) -> Bool {
        if let timestamp = message.timestamp {
            guard start.instant <= timestamp, timestamp < end.instant else { return false }
        }
        return switch budget.target {
        case .everybody: true
        case .user(let user): message.attribution.userID.map { Array($0.utf8) } == Array(user.utf8)
        case .team(let team): message.attribution.teamID.map { Array($0.utf8) } == Array(team.utf8)
        }
    }

    /// The credits used by the end of the period if they grow evenly, at the last full minute; nil in
    /// its first hundredth.
    public func projected(at instant: Timestamp) -> String? {
        let instant = instant.startOfMinute
        let length = Int128(end.instant.microseconds - start.instant.microseconds)
        let elapsed = min(Int128(instant.microseconds - start.instant.microseconds), length)
        guard elapsed * 100 >= length, elapsed > 0 else { return nil }
        // Rounded half up.
        let twice = 2 * usedHundredths * length + elapsed
        return Credits.text(hundredths: floor(twice, by: 2 * elapsed))
    }
}

extension BudgetUse {
    /// The body of the event that `threshold` is crossed, found at `instant`.
    public func event(threshold: Int, at instant: Timestamp) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("type", "budget.threshold_crossed")
            json.member("timestamp", instant.description)
            json.name("data")
            json.object { json in
                json.name("budget")
                json.object { $0.members(of: self, at: instant) }
                json.member("threshold", literal: String(threshold))
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

extension JSONWriter {
    /// Writes the members of a budget, its use of a period, and the projection at `instant`.
    public mutating func members(of use: BudgetUse, at instant: Timestamp) {
        let budget = use.budget
        member("name", budget.name)
        switch budget.target {
        case .everybody: break
        case .user(let user): member("user_id", user)
        case .team(let team): member("team_id", team)
        }
        member("every", budget.every.rawValue)
        if budget.monthStart != 1 { member("month_start", literal: String(budget.monthStart)) }
        member("tz", budget.zone)
        member("from", use.start.description)
        member("to", use.end.description)
        member("credits", literal: budget.credits.description)
        member("used", literal: use.used)
        member("remaining", literal: Credits.text(hundredths: use.remainingHundredths))
        member("percent", literal: use.percent)
        member("projected", use.projected(at: instant), isQuoted: false)
        numbers("thresholds", budget.thresholds)
        numbers("crossed", use.crossed)
        if let end = budget.endsAt, end <= instant { member("ended", literal: "true") }
    }

    private mutating func numbers(_ name: String, _ numbers: [Int]) {
        self.name(name)
        array { json in numbers.forEach { json.literal(String($0)) } }
    }
}

/// An instant and its offset from UTC in some zone.
public struct LocalTime: Equatable, Sendable, CustomStringConvertible {
    /// The instant.
    public let instant: Timestamp

    /// Seconds ahead of UTC.
    public let offsetSeconds: Int

    /// Makes a local time.
    public init(_ instant: Timestamp, offsetSeconds: Int) {
        self.instant = instant
        self.offsetSeconds = offsetSeconds
    }

    /// `2026-11-01T00:00:00+01:00`.
    public var description: String { instant.description(offsetSeconds: offsetSeconds) }
}
