import Encoding
import HTTP
import Usage
import UsageStore

/// Writes a summary; groups are streamed, because their series may be long.
struct SummaryEncoder {
    /// The query.
    let query: SummaryQuery

    /// The period; nil without records and bounds.
    let period: SummaryPeriod?

    /// The revision of the snapshot.
    let revision: Int64

    /// The newest records that have a model, but were priced by a rate without one.
    let unrated: Int64

    /// The period before, if it is requested.
    let previous: PreviousPeriod?

    /// The sums; nil for an empty period.
    let sums: Summary?

    /// Writes one object.
    func writeJSON(to writer: BodyWriter) throws {
        try writer.append(head.dropLast())
        if query.grouping == nil {
            try writer.append(#","by_report":["#.utf8)
            try writeList(to: writer) { try sums?.nextReport().map(object(of:)) }
        } else {
            try writer.append(#","groups":["#.utf8)
            try writeList(to: writer) { try sums?.nextGroup().map(object(of:)) }
        }
        if let period, let previous {
            var json = JSONWriter()
            json.object { json in
                json.member("from", previous.start)
                json.member("to", period.text(of: period.start))
                json.name("totals")
                json.object { $0.members(of: previous.totals) }
            }
            try writer.append(#","previous":"#.utf8)
            try writer.append(json.bytes)
        }
        try writer.append("}".utf8)
    }

    /// Writes elements and the end of their array.
    private func writeList(to writer: BodyWriter, _ next: () throws -> [UInt8]?) throws {
        var isFirst = true
        while let element = try next() {
            if !isFirst { try writer.append(CollectionOfOne(UInt8(ascii: ","))) }
            isFirst = false
            try writer.append(element)
        }
        try writer.append(CollectionOfOne(UInt8(ascii: "]")))
    }

    /// The response up to the buckets or the names of the groups' parts, as a complete object.
    private var head: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            if let period {
                json.member("from", period.text(of: period.start))
                json.member("to", period.text(of: period.end))
            }
            json.member("tz", query.zone)
            json.member("granularity", (period?.granularity ?? query.granularity ?? .day).rawValue)
            json.member("revision", literal: String(revision))
            if unrated > 0 {
                json.member("newest_records_without_model_rate", literal: String(unrated))
            }
            json.name("totals")
            json.object { $0.members(of: sums?.totals ?? .zero) }
            json.name("buckets")
            json.array { json in
                guard let period, let sums else { return }
                for (bucket, sum) in zip(period.buckets, sums.buckets) {
                    json.object { json in
                        json.member("date", period.date(of: bucket))
                        json.member("start", period.text(of: bucket.lowerBound))
                        json.member("end", period.text(of: bucket.upperBound))
                        json.members(of: sum)
                    }
                }
            }
            guard let grouping = query.grouping else { return }
            json.name("group_by")
            json.array { json in grouping.parts.forEach { json.string($0.description) } }
        }
        return json.bytes
    }

    private func object(of report: (reportName: String?, sum: UsageSum)) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("report_name", report.reportName, isQuoted: true)
            json.member("messages", literal: String(report.sum.messages))
            json.member("credits_used", literal: report.sum.creditsUsed)
        }
        return json.bytes
    }

    private func object(of group: SummaryGroup) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            if let count = group.otherCount {
                json.member("other", literal: "true")
                json.member("groups", literal: String(count))
            }
            for (part, value) in zip(query.grouping?.parts ?? [], group.values) {
                json.member(part.description, value, isQuoted: true)
            }
            json.members(of: group.sum)
            json.name("series")
            json.array { json in group.series.forEach { json.literal($0.creditsUsed) } }
        }
        return json.bytes
    }

    /// Writes one row for each bucket, or for each bucket of each group.
    func writeCSV(to writer: BodyWriter) throws {
        if query.hasBOM { try writer.append([0xef, 0xbb, 0xbf]) }
        let parts = query.grouping.map { $0.parts.map(\.description) + ["other"] } ?? []
        let names = ["messages", "reports", "credits_used"] + UsageSum.zero.otherCounts.map(\.name)
        var csv = CSVWriter()
        csv.row(["date", "start", "end"] + parts + names)
        try writer.append(csv.bytes)
        guard let period, let sums else { return }
        // Each group has the same.
        let times = period.buckets.map { bucket in
            var csv = CSVWriter()
            csv.row([
                period.date(of: bucket), period.text(of: bucket.lowerBound),
                period.text(of: bucket.upperBound),
            ])
            return Array(csv.bytes.dropLast(2))
        }
        if let grouping = query.grouping {
            while let group = try sums.nextGroup() {
                let values =
                    group.otherCount == nil
                    ? group.values + [nil] : grouping.parts.map { _ in nil } + ["true"]
                try writer.append(rows(of: group.series, values, times))
            }
        } else {
            try writer.append(rows(of: sums.buckets, [], times))
            // The connection is busy until all rows are read.
            while try sums.nextReport() != nil {}
        }
    }

    private func rows(
        of series: [UsageSum], _ values: [String?], _ times: [[UInt8]]
    ) -> [UInt8] {
        var csv = CSVWriter()
        let cells = values.map { $0.map { (needsFormulaGuard($0.utf8.first) ? "'" : "") + $0 } }
        for (time, sum) in zip(times, series) {
            let counts = [String(sum.messages), String(sum.reports), sum.creditsUsed]
            csv.row(after: time, cells + counts + sum.otherCounts.map { String($0.count) })
        }
        return csv.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func members(of sum: UsageSum) {
        member("messages", literal: String(sum.messages))
        member("reports", literal: String(sum.reports))
        member("credits_used", literal: sum.creditsUsed)
        for (name, count) in sum.otherCounts where count != 0 {
            member(name, literal: String(count))
        }
    }
}

extension UsageSum {
    /// The sums of reported tokens and the number of corrections, with their names in responses.
    fileprivate var otherCounts: [(name: String, count: Int64)] {
        [
            (UsageRecord.Column.inputTokens, tokens.input), (.outputTokens, tokens.output),
            (.cacheReadInputTokens, tokens.cacheRead),
            (.cacheCreationInputTokens, tokens.cacheCreation),
        ].map { (column: UsageRecord.Column, count) in (column.name, count) }
            + [("corrections", corrections)]
    }
}
