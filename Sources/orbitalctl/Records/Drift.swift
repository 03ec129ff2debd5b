import ArgumentParser
import Configuration
import Foundation
import Tokenizer
import Usage
import UsageStore

/// Compares characters / 4 with exact counts.
struct Drift: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares characters / 4 with exact token counts, in tokens and in credits.",
        discussion: """
            Counts the texts of a range, and prices each of them twice at its rate: by characters / 4, \
            and by its exact tokens. Changes nothing. Records without a stored text, and records that \
            report tokens, are left out; their number is printed.
            """)

    @Option(help: "The first day, or an RFC 3339 time.") var from: String
    @Option(help: "The day after the last one, or an RFC 3339 time.") var to: String
    @Option(name: .customLong("tz"), help: "The time zone of the days.") var zone = "UTC"
    @Option(help: "Sums by report, user or model, most characters first. (default: only the total)")
    var by: Group?
    @Option(
        help: """
            The tokenizer that counts. (default: that of each record's rate; o200k_base, if the rate \
            counts characters)
            """)
    var tokenizer: String?
    @Option(help: "The number of groups with a sum of their own.") var groups = 20
    @Flag(help: "Print JSON.") var json = false

    enum Group: String, ExpressibleByArgument {
        case report
        case user
        case model

        var column: UsageRecord.Column {
            switch self {
            case .report: .reportName
            case .user: .userID
            case .model: .model
            }
        }
    }

    func validate() throws {
        for (option, text) in [("--from", from), ("--to", to)] where PeriodBound(text) == nil {
            throw ValidationError("\(option) must be a date, or an RFC 3339 time with an offset.")
        }
        guard tokenizer.map({ TokenEncoding(rawValue: $0) != nil }) ?? true else {
            let names = TokenEncoding.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--tokenizer must be one of: \(names).")
        }
        guard (1...1000).contains(groups) else {
            throw ValidationError("--groups must be from 1 to 1000.")
        }
    }

    func run() throws {
        try reporting {
            let store = try longStore("drift")
            let range = try range(store)
            let snapshot = try store.snapshot()
            try snapshot.waitForLocks()
            let query = DriftQuery(
                range, by: by?.column, groupLimit: groups,
                tokenizer: tokenizer.flatMap(TokenEncoding.init(rawValue:)))
            var progress: Progress?
            let report = try snapshot.drift(query, try Tokenizers(of: .administrators())) {
                let shown = progress ?? Progress(unit: "records", totalBytes: $1)
                shown.show($0)
                progress = shown
            }
            progress?.end()
            store.release()
            let output = DriftOutput(
                range: range, group: by?.rawValue, tokenizer: tokenizer, report: report)
            print(json ? output.json : output.text)
        }
    }

    private func range(_ store: UsageStore) throws -> Range<Timestamp> {
        try requireZone(zone, store)
        let bounds = try [from, to].compactMap(PeriodBound.init(_:))
            .map { try store.instant(of: $0, in: zone) }
        guard let first = bounds.first, let end = bounds.last, first <= end else {
            throw Failure(message: "--from is after --to.", status: EX_USAGE)
        }
        return first..<end
    }
}
