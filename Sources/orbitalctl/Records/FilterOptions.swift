import ArgumentParser
import Foundation
import Usage
import UsageStore

/// The filters of `GET /usage` as options.
struct FilterOptions: ParsableArguments {
    @Option(help: "Of messages from this day or RFC 3339 time on.") var from: String?
    @Option(help: "Of messages before this day or RFC 3339 time.") var to: String?
    @Option(name: .customLong("tz"), help: "The time zone of the days.") var zone = "UTC"
    @Option(help: "With this report; repeatable.") var reportName: [String] = []
    @Option(help: "true: with any report; false: without one.") var hasReport: Bool?
    @Option(help: "Of this user; empty: of none; repeatable.") var userID: [String] = []
    @Option(help: "Of this team; empty: of none; repeatable.") var teamID: [String] = []
    @Option(help: "Of this model; empty: of none; repeatable.") var model: [String] = []
    @Option(
        help: ArgumentHelp("With this tag; all must match; repeatable.", valueName: "key:value"))
    var tag: [String] = []
    @Option(help: "With this external id.") var externalID: String?
    @Option(help: "From these credits on.") var minCredits: String?
    @Option(help: "Up to these credits.") var maxCredits: String?
    @Option(help: "Recorded from this day or time on.") var recordedFrom: String?
    @Option(help: "Recorded before this day or time.") var recordedTo: String?

    private var bounds: [(option: String, text: String?)] {
        [
            ("--from", from), ("--to", to), ("--recorded-from", recordedFrom),
            ("--recorded-to", recordedTo),
        ]
    }

    private var texts: [(column: UsageRecord.Column, values: [String])] {
        [
            (.reportName, reportName), (.userID, userID), (.teamID, teamID), (.model, model),
            (.externalID, externalID.map { [$0] } ?? []),
        ].filter { !$0.values.isEmpty }
    }

    private var credits: [(option: String, text: String?)] {
        [("--min-credits", minCredits), ("--max-credits", maxCredits)]
    }

    /// Whether no option restricts the records.
    var isEmpty: Bool {
        texts.isEmpty && tag.isEmpty && hasReport == nil
            && (bounds + credits).allSatisfy { $0.text == nil }
    }

    func validate() throws {
        for (option, text) in bounds where text.map({ PeriodBound($0) == nil }) ?? false {
            throw ValidationError("\(option) must be a date, or an RFC 3339 time with an offset.")
        }
        for (option, text) in credits where text.map({ Credits($0) == nil }) ?? false {
            throw ValidationError("\(option) must be a number with at most two decimals.")
        }
        for text in tag where AttributionPart.tag(text) == nil {
            throw ValidationError("--tag must be KEY:VALUE, such as env:prod; it is \(text).")
        }
        for (column, values) in texts {
            let named = values.filter { column.table == .record || !$0.isEmpty }
            if let fault = named.lazy.flatMap(column.faults).first {
                throw ValidationError(fault.message)
            }
        }
    }

    /// The filter; throws a `Failure` if the time zone is unknown, or a range ends before it begins.
    func filter(_ store: UsageStore) throws -> UsageFilter {
        try requireZone(zone, store)
        let instants = try bounds.map { _, text in
            try text.flatMap(PeriodBound.init(_:)).map { try store.instant(of: $0, in: zone) }
        }
        for (first, end) in [(0, 1), (2, 3)] {
            if let start = instants[first], let end = instants[end], start > end {
                throw Failure(
                    message: "\(bounds[first].option) is after its end.", status: EX_USAGE)
            }
        }
        var filter = UsageFilter()
        (filter.from, filter.to) = (instants[0], instants[1])
        (filter.recordedFrom, filter.recordedTo) = (instants[2], instants[3])
        filter.texts = texts
        filter.tags = tag.compactMap(AttributionPart.tag)
        filter.hasReport = hasReport
        filter.minimumCredits = minCredits.flatMap(Credits.init(_:))
        filter.maximumCredits = maxCredits.flatMap(Credits.init(_:))
        return filter
    }
}
