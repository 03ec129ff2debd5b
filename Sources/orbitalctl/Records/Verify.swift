import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Proves that what is recorded is what it should be, and that every view of it says the same.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prices every record anew, and compares rows, summaries and exports.",
        discussion: """
            All in one snapshot, record by record, with the price list entry in force at each \
            record's time. Exit status 1 when something differs; each difference is listed.
            """)

    @Option(help: "The most differences that are listed.") var limit = 100

    /// Zones in which days, weeks and months are cut differently.
    private static let zones = [
        "UTC", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia",
    ]

    func run() throws {
        try reporting {
            let store = try administratorsStore()
            let snapshot = try store.snapshot()
            try snapshot.waitForLocks()
            let count = Int(try snapshot.totals(UsageFilter()).messages)
            let progress = Progress(unit: "records", totalBytes: 3 * count)
            var findings = Findings(limit: limit)
            let rows = try priceAnew(snapshot, progress, &findings)
            try compareRows(snapshot, rows, progress, count, &findings)
            try compareExport(snapshot, rows, progress, count, &findings)
            try compareTotals(snapshot, rows, &findings)
            for zone in Self.zones {
                try compareSummary(snapshot, zone, rows, &findings)
            }
            progress.end()
            store.release()
            var line = "verified \(counted(rows.messages, "record")), \(rows.credits) credits: "
            line += counted(findings.count, "difference")
            switch rows.unpriced {
            case 0: break
            case 1: line += "; 1 record brought its own credits"
            case let count: line += "; \(count) records brought their own credits"
            }
            switch rows.estimates {
            case 0: break
            case 1: line += "; 1 record is an estimate"
            case let count: line += "; \(count) records are estimates"
            }
            print(line)
            if findings.count > 0 { throw ExitCode.failure }
        }
    }

    private func priceAnew(
        _ snapshot: Snapshot, _ progress: Progress, _ findings: inout Findings
    ) throws -> Sum {
        var sum = Sum()
        try snapshot.forEachPrice(try Tokenizers(of: .administrators())) { priced in
            sum.add(priced.record)
            progress.show(sum.messages)
            for difference in priced.differences { findings.add(difference) }
            if priced.record.rate == nil { sum.unpriced += 1 }
            if priced.isEstimate { sum.estimates += 1 }
        }
        return sum
    }

    /// What `GET /usage` reads, through another index and in another order.
    private func compareRows(
        _ snapshot: Snapshot, _ rows: Sum, _ progress: Progress, _ count: Int,
        _ findings: inout Findings
    ) throws {
        var sum = Sum()
        let records = try snapshot.records(UsageFilter(), sort: .standard)
        while try records.next() {
            sum.add(records.record)
            progress.show(count + sum.messages)
        }
        findings.compare("the rows of GET /usage", sum, with: rows)
    }

    /// What `orbitalctl export` writes.
    private func compareExport(
        _ snapshot: Snapshot, _ rows: Sum, _ progress: Progress, _ count: Int,
        _ findings: inout Findings
    ) throws {
        var sum = Sum()
        try snapshot.forEachMessage { record in
            sum.add(record)
            progress.show(2 * count + sum.messages)
        }
        findings.compare("the export", sum, with: rows)
    }

    private func compareTotals(
        _ snapshot: Snapshot, _ rows: Sum, _ findings: inout Findings
    ) throws {
        let totals = try snapshot.totals(UsageFilter())
        let sum = Sum(
            messages: Int(totals.messages), reports: rows.reports,
            hundredths: hundredths(totals.creditsUsed))
        findings.compare("the totals", sum, with: rows)
    }

    /// Months of the zone, a hundred at a time; buckets, report names and totals must all agree.
    private func compareSummary(
        _ snapshot: Snapshot, _ zone: String, _ rows: Sum,
        _ findings: inout Findings
    ) throws {
        guard let extent = try snapshot.extent(UsageFilter()) else { return }
        let end = Timestamp(microseconds: extent.upperBound.microseconds + 1)
        let offsets = try snapshot.offsets(of: zone, from: extent.lowerBound, to: end)
        let months = ReportingPeriod(from: extent.lowerBound, to: end, offsets: offsets)
            .buckets(.month)
        var totals = Sum()
        var buckets = Sum()
        var reports = Sum()
        for start in stride(from: 0, to: months.count, by: 100) {
            let part = Array(months[start..<min(start + 100, months.count)])
            let summary = try snapshot.summary(UsageFilter(), buckets: part)
            totals.add(summary.totals)
            summary.buckets.forEach { buckets.add($0) }
            while let (name, sum) = try summary.nextReport() {
                reports.add(sum, reports: name == nil ? 0 : sum.messages)
            }
        }
        findings.compare("the totals of summaries in \(zone)", totals, with: rows)
        findings.compare("the months of \(zone)", buckets, with: rows)
        findings.compare("the sums by report name in \(zone)", reports, with: rows)
    }
}

extension RecordedPrice {
    /// What is wrong with the record, in sentences.
    fileprivate var differences: [String] {
        let message = "message \(record.value(in: .messageID) ?? "")"
        var differences: [String] = []
        if characters.recorded != characters.counted {
            differences.append(
                "\(message): \(characters.recorded) characters are recorded, its text has "
                    + "\(characters.counted)")
        }
        if record.tokenCount != countedTokens {
            differences.append(
                "\(message): \(record.tokenCount ?? 0) tokens are recorded, its text has "
                    + "\(countedTokens ?? 0)")
        }
        // Whoever brings credits along, as the service before this one did, vouches for them.
        guard let recorded = record.rate else { return differences }
        if recorded != rateInForce {
            let inForce = rateInForce.map { "entry \($0)" } ?? "none"
            differences.append("\(message): priced by entry \(recorded), in force was \(inForce)")
        }
        if record.creditsUsed != price {
            let expected = price.map { "\($0)" } ?? "no price"
            differences.append(
                "\(message): \(record.value(in: .creditsUsed) ?? "") credits are recorded, "
                    + "\(expected) is right")
        }
        return differences
    }
}
