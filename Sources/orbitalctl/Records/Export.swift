import ArgumentParser
import Configuration
import Foundation
import Encoding
import MessageReader
import Usage
import UsageStore

/// Writes the rates, and all messages with their credits.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes the rates, and all open messages with their credits, for import.",
        discussion: """
            The rates come first, then the messages, ordered by time. For CSV, the rates are in a \
            second file, NAME.rates.csv. Values are exact: no cell is changed for spreadsheets. A \
            file gets its name only when it is complete.
            """)

    @Option(help: "ndjson, json (an array) or csv.") var format: Format = .ndjson
    @Option(
        name: .shortAndLong, help: "The output file. (default: standard output)",
        completion: .file())
    var output: String?
    @Flag(help: "Start CSV with a byte order mark, so that Excel recognises UTF-8.")
    var bom = false

    func validate() throws {
        guard !bom || format == .csv else { throw ValidationError("--bom is for CSV only.") }
    }

    func run() throws {
        let store = try longStore("export")
        let snapshot = try store.snapshot()
        try snapshot.waitForLocks()
        let progress = Progress(
            unit: "messages", totalBytes: Int(try snapshot.totals(UsageFilter()).records),
            isShown: isatty(STDERR_FILENO) == 1 && (output != nil || isatty(STDOUT_FILENO) == 0))
        let file = try OutputFile(path: output)
        let rates = try ratesFile()
        var items = ItemWriter(format: format, bom: bom)
        for (index, rate) in try snapshot.creditRates().enumerated() {
            let bytes = items.encoded(rate, number: index + 1)
            try (format == .csv ? rates : file)?.write(bytes)
        }
        if format == .csv { try file.write(items.csvHeader(MessageForm.file.allowed)) }
        var count = 0
        try snapshot.forEachMessage { message in
            try file.write(items.encoded(message))
            count += 1
            progress.show(count)
        }
        try file.write(items.closing)
        // The rates first: without them, an import is not an exact copy.
        try rates?.close()
        try file.close()
        progress.end()
        note("exported \(counted(count, "message"))")
        if let line = snapshot.closedBefore {
            note("records before \(line) are closed; see: orbitalctl close status")
        }
        guard format == .csv, output == nil else { return }
        note("orbitalctl: the rates are omitted; --output writes them to a second file")
    }

    /// The file for the rates, for a format that cannot include them.
    private func ratesFile() throws -> OutputFile? {
        guard format == .csv, let output else { return nil }
        let file = try OutputFile(path: ratesPath(beside: output))
        try file.write(ItemWriter(format: format, bom: bom).csvHeader(RateItem.members))
        return file
    }
}

/// Writes the rates and messages of an export.
struct ItemWriter {
    let format: Format
    let bom: Bool
    var isFirst = true

    func csvHeader(_ columns: [String]) -> [UInt8] {
        var csv = CSVWriter()
        csv.row(columns)
        return (bom ? [0xef, 0xbb, 0xbf] : []) + csv.bytes
    }

    mutating func encoded(_ rate: CreditRate, number: Int) -> [UInt8] {
        let values = RateItem.values(of: rate, number: number)
        if format == .csv {
            var csv = CSVWriter()
            csv.row(values)
            return csv.bytes
        }
        return element { $0.members(of: rate, number: number) }
    }

    mutating func encoded(_ message: UsageRecord) -> [UInt8] {
        guard format == .csv else { return element { $0.members(of: message) } }
        var csv = CSVWriter()
        csv.row(MessageForm.file.columns.map(message.value))
        return csv.bytes
    }

    /// The end of the file.
    var closing: [UInt8] {
        guard format == .json else { return [] }
        return Array((isFirst ? "[]\n" : "]\n").utf8)
    }

    private mutating func element(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object(body)
        defer { isFirst = false }
        if format == .ndjson { return json.bytes + [0x0a] }
        return (isFirst ? [UInt8(ascii: "[")] : [UInt8(ascii: ","), 0x0a]) + json.bytes
    }
}
