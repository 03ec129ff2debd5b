import Foundation
import MessageReader
import Usage

/// The items of a file, after the rates of an export.
struct RatedSource: MessageSource {
    /// The rates; empty if the file has none.
    private(set) var rates: [CreditRate] = []

    private var source: any MessageSource
    private var first: SourceItem?

    /// Reads the rates of `source`, the file at `path`: those before its first message or, for CSV,
    /// those in the file beside it.
    init(_ source: any MessageSource, path: String, delimiter: CSVDelimiter?) throws {
        var rated = source
        var item: SourceItem?
        if let csv = source as? CSVSource {
            let ratesPath = ratesPath(beside: path)
            if path != "-", FileManager.default.fileExists(atPath: ratesPath) {
                var rows: any MessageSource = try CSVSource(
                    Input(path: ratesPath), delimiter: delimiter, .rates)
                let (rates, rest) = try Self.takeRates(&rows)
                if let rest { throw Self.failure(rest, "The row is invalid.") }
                self.rates = rates
            } else if path != "-", csv.namesRates {
                note(
                    "orbitalctl: \(ratesPath), the rates of this export, is missing: the price list "
                        + "of the database applies")
            }
        } else {
            (rates, item) = try Self.takeRates(&rated)
        }
        self.source = rated
        first = item
    }

    mutating func next() throws -> SourceItem? {
        if let item = first {
            first = nil
            return item
        }
        return try source.next()
    }

    /// Reads the rates and the item after them.
    private static func takeRates(
        _ source: inout any MessageSource
    ) throws -> ([CreditRate], SourceItem?) {
        var rates: [CreditRate] = []
        while let item = try source.next() {
            guard case .rate(let content) = item.content else { return (rates, item) }
            guard let rate = content.rate else {
                throw failure(item, content.faults.map(\.message).joined(separator: " "))
            }
            guard content.number == Int64(rates.count) + 1, isLater(rate, than: rates.last) else {
                throw failure(
                    item,
                    "Rates must be numbered from 1; the first has no effective_from and no model, "
                        + "the others are ordered by effective_from, then by model.")
            }
            rates.append(rate)
        }
        return (rates, nil)
    }

    /// Whether `rate` may follow `last`.
    private static func isLater(_ rate: CreditRate, than last: CreditRate?) -> Bool {
        guard let last else { return rate.effectiveFrom == nil && rate.model == nil }
        if rate.effectiveFrom != last.effectiveFrom { return rate.begins(after: last) }
        return (last.model ?? "").utf8.lexicographicallyPrecedes((rate.model ?? "").utf8)
    }

    private static func failure(_ item: SourceItem, _ reason: String) -> Failure {
        Failure(
            message: "line \(item.line): invalid rate: \(reason)",
            status: EX_DATAERR)
    }
}

/// The path of the rates of a CSV export: `usage.rates.csv` beside `usage.csv`.
func ratesPath(beside path: String) -> String {
    var name = path[...]
    for ending in [".gz", ".csv"] where name.hasSuffix(ending) {
        name = name.dropLast(ending.count)
    }
    return name + ".rates.csv"
}
