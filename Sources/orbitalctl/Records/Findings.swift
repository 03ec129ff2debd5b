import Usage
import UsageStore

/// A sum of records that never overflows.
struct Sum: Equatable {
    var messages = 0
    var reports = 0
    var hundredths: Int128 = 0
    /// Records that plain SQL inserted as estimates.
    var estimates = 0
    /// Records that no rate priced.
    var unpriced = 0

    mutating func add(_ record: UsageRecord) {
        messages += 1
        if record.reportName != nil { reports += 1 }
        hundredths += Int128(record.creditsUsed?.hundredths ?? 0)
    }

    mutating func add(_ sum: UsageSum, reports count: Int64? = nil) {
        messages += Int(sum.messages)
        reports += Int(count ?? sum.reports)
        hundredths += Verify.hundredths(sum.creditsUsed)
    }

    /// The credits with two decimals.
    var credits: String {
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        return "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}

extension Verify {
    /// The hundredths of a decimal number with two decimals.
    static func hundredths(_ credits: String) -> Int128 {
        Int128(credits.filter { $0 != "." }) ?? -1
    }
}

/// Differences: all are counted, the first ones are printed.
struct Findings {
    let limit: Int
    private(set) var count = 0

    mutating func add(_ difference: String) {
        count += 1
        if count <= limit { print(difference) }
        if count == limit + 1 { print("… further differences are only counted") }
    }

    mutating func compare(_ what: String, _ sum: Sum, with rows: Sum) {
        guard sum.messages == rows.messages, sum.reports == rows.reports,
            sum.hundredths == rows.hundredths
        else {
            return add(
                "\(what): \(counted(sum.messages, "message")), \(sum.reports) with a report name, \(sum.credits) "
                    + "credits; expected \(rows.messages), \(rows.reports), \(rows.credits)")
        }
    }
}
