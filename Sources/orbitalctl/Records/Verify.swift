import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Verifies that all credits are right, and that all views of the records agree.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: """
            Prices every record again, and compares records, rollups, summaries, exports and archives.
            """,
        discussion: """
            Reads one snapshot, and prices each open record at the rate in force at its time for its \
            model. Compares closed sums with each other, and archives with their manifests and with the \
            closed ids. Lists each difference; exit status 1 if there is one.
            """)

    @Option(help: "Maximum number of differences listed.") var limit = 100
    @Option(
        help: "Where the archives of closed records are now. (default: where they were written)",
        completion: .directory)
    var archives: String?

    /// Zones with different boundaries of days, weeks and months.
    private static let zones = [
        "UTC", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia",
    ]

    func run() throws {
        let store = try longStore("verify")
        let snapshot = try store.snapshot()
        try snapshot.waitForLocks()
        let count = Int(try snapshot.totals(UsageFilter()).records)
        let progress = Progress(unit: "records", totalBytes: 3 * count)
        var findings = Findings(limit: limit)
        let rows = try priceAnew(snapshot, progress, &findings)
        try compareRecords(snapshot, rows, progress, count, &findings)
        for zone in Self.zones {
            try compareSummary(snapshot, zone, rows, &findings)
        }
        try compareRollups(snapshot, &findings)
        try snapshot.forEachClosedDifference { findings.add($0) }
        try snapshot.forEachCorrectionFault { findings.add($0) }
        let closings = try snapshot.closings()
        store.release()
        defer { store.release() }
        for closing in closings {
            progress.show("reading the archive of the records before \(closing.before) …")
            try Archive(of: closing, in: archives).verify(closing, store).forEach {
                findings.add($0)
            }
        }
        progress.end()
        var line = "verified \(counted(rows.records, "record")), \(rows.credits) credits: "
        line += counted(findings.count, "difference")
        if rows.corrections > 0 {
            line += "; \(counted(rows.corrections, "correction"))"
        }
        if rows.unpriced > 0 {
            line += "; \(counted(rows.unpriced, "record")) not priced by a rate"
        }
        if rows.estimates > 0 {
            let words = rows.estimates == 1 ? "is an estimate" : "are estimates"
            line += "; \(counted(rows.estimates, "record")) \(words)"
        }
        print(line)
        if findings.count > 0 { throw ExitCode.failure }
    }

    private func priceAnew(
        _ snapshot: Snapshot, _ progress: Progress, _ findings: inout Findings
    ) throws -> Sum {
        var sum = Sum()
        try snapshot.forEachPrice(try Tokenizers(of: .administrators())) { priced in
            sum.add(priced.record)
            progress.show(sum.records)
            for difference in priced.differences { findings.add(difference) }
            if priced.record.rate == nil, !priced.record.isCorrection { sum.unpriced += 1 }
            if priced.isEstimate { sum.estimates += 1 }
        }
        return sum
    }

    /// Compares the records of `GET /usage`, read through another index in another order, those of
    /// `orbitalctl export`, and the totals.
    private func compareRecords(
        _ snapshot: Snapshot, _ rows: Sum, _ progress: Progress, _ count: Int,
        _ findings: inout Findings
    ) throws {
        var listed = Sum()
        let records = try snapshot.records(UsageFilter(), sort: .standard)
        while try records.next() {
            listed.add(records.record)
            progress.show(count + listed.records)
        }
        findings.compare("the records of GET /usage", listed, with: rows)
        var exported = Sum()
        try snapshot.forEachMessage { record in
            exported.add(record)
            progress.show(2 * count + exported.records)
        }
        findings.compare("the export", exported, with: rows)
        let totals = try snapshot.totals(UsageFilter())
        let sum = Sum(
            messages: Int(totals.records) - rows.corrections, reports: rows.reports,
            corrections: rows.corrections,
            hundredths: Self.hundredths(totals.creditsUsed))
        findings.compare("the totals", sum, with: rows)
    }

    /// Compares buckets, report names and totals by month in the zone, a hundred months at a time.
    private func compareSummary(
        _ snapshot: Snapshot, _ zone: String, _ rows: Sum,
        _ findings: inout Findings
    ) throws {
        var filter = UsageFilter()
        filter.from = snapshot.closedBefore
        guard let extent = try snapshot.extent(filter) else { return }
        let end = Timestamp(microseconds: extent.upperBound.microseconds + 1)
        let offsets = try snapshot.offsets(of: zone, from: extent.lowerBound, to: end)
        let months = ReportingPeriod(from: extent.lowerBound, to: end, offsets: offsets)
            .buckets(.month)
        var totals = Sum()
        var buckets = Sum()
        var reports = Sum()
        for start in stride(from: 0, to: months.count, by: 100) {
            let part = Array(months[start..<min(start + 100, months.count)])
            let summary = try snapshot.summary(filter, buckets: part)
            totals.add(summary.totals)
            summary.buckets.forEach { buckets.add($0) }
            while let (name, sum) = try summary.nextReport() {
                reports.add(sum, reports: name == nil ? 0 : sum.messages)
            }
        }
        // They are not counted by report name, only added up.
        reports.corrections = totals.corrections
        findings.compare("the totals of summaries in \(zone)", totals, with: rows)
        findings.compare("the months of \(zone)", buckets, with: rows)
        findings.compare("the sums by report name in \(zone)", reports, with: rows)
    }
}

extension RecordedPrice {
    /// The record's differences, as sentences.
    fileprivate var differences: [String] {
        let message = "message \(record.value(in: .messageID) ?? "")"
        var differences: [String] = []
        if characters.recorded != characters.counted {
            differences.append(
                "\(message): \(characters.recorded ?? 0) characters recorded, its text has "
                    + "\(characters.counted ?? 0)")
        }
        if record.tokenCount != countedTokens {
            differences.append(
                "\(message): \(record.tokenCount ?? 0) tokens recorded, its text has "
                    + "\(countedTokens ?? 0)")
        }
        // Credits without a rate come from the writer: an import with --keep-credits, or plain SQL.
        guard let recorded = record.rate else { return differences }
        if recorded != rateInForce {
            let inForce = rateInForce.map { "rate \($0)" } ?? "no rate"
            differences.append(
                "\(message): priced by rate \(recorded), but \(inForce) was in force")
        }
        if record.creditsUsed != price {
            let expected = price.map { "\($0)" } ?? "no price"
            differences.append(
                "\(message): \(record.value(in: .creditsUsed) ?? "") credits recorded, "
                    + "expected \(expected)")
        }
        return differences
    }
}

/// A sum of records that never overflows.
struct Sum: Equatable {
    var messages = 0
    var reports = 0
    var corrections = 0
    var hundredths: Int128 = 0
    /// Records that plain SQL inserted as estimates.
    var estimates = 0
    /// Records that no rate priced.
    var unpriced = 0

    /// The number of records.
    var records: Int { messages + corrections }

    mutating func add(_ record: UsageRecord) {
        if record.isCorrection {
            corrections += 1
        } else {
            messages += 1
            if record.reportName != nil { reports += 1 }
        }
        hundredths += Int128(record.creditsUsed?.hundredths ?? 0)
    }

    mutating func add(_ sum: UsageSum, reports count: Int64? = nil) {
        messages += Int(sum.messages)
        reports += Int(count ?? sum.reports)
        corrections += Int(sum.corrections)
        hundredths += Verify.hundredths(sum.creditsUsed)
    }

    /// The sums as text.
    fileprivate var summary: String {
        "\(counted(messages, "message")), \(reports) with a report name, "
            + "\(counted(corrections, "correction")), \(credits) credits"
    }

    /// The credits with two decimals.
    var credits: String { Credits.text(hundredths: hundredths) }
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
            sum.corrections == rows.corrections, sum.hundredths == rows.hundredths
        else {
            return add("\(what): \(sum.summary); expected \(rows.summary)")
        }
    }
}
