import ArgumentParser
import Configuration
import Foundation
import MessageReader
import Usage
import UsageStore

/// Records the messages of a file.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records the messages of a file; importing again records nothing twice.",
        discussion: """
            Each message must have message_id, timestamp (RFC 3339 with offset), and message_text, \
            input_tokens or output_tokens. The other members of POST /usage are optional. So is \
            credits_used, which must agree with the price list, unless --keep-credits is given. The \
            import is one transaction: if it fails or is stopped, nothing is recorded.

            An export has its rates before the messages (for CSV, in NAME.rates.csv beside it). If \
            the database has no records, these rates replace its price list, and the copy equals \
            the original except for recorded_at. If it has records, its price list must already have these rates, except \
            those that begin after every record; they are added.

            The file is UTF-8, or UTF-16 with a byte order mark, and may be compressed with gzip. A \
            CSV file has a header; its fields are separated by commas, semicolons or tabs; tags are \
            a JSON object.

            Messages that cannot be recorded are written to a file (--rejects) with their line and \
            the reason, and the exit status is 1; the others are recorded. If that file exists, it \
            is replaced, or removed if no message is rejected.
            """)

    @Argument(help: "The file, or - for standard input.", completion: .file()) var file: String
    @Option(help: "ndjson, json (an array) or csv; by default detected from the content.")
    var format: Format?
    @Option(help: "The delimiter of CSV fields; by default detected from the header.")
    var delimiter: CSVDelimiter?
    @Option(
        help: """
            The file for rejected messages. (default: FILE.rejected.ndjson; for standard input, \
            import.rejected.ndjson in the current directory)
            """)
    var rejects: String?
    @Flag(help: "Record credits_used of the file even if the price list disagrees.")
    var keepCredits = false

    func validate() throws {
        guard rejects != file else { throw ValidationError("--rejects must not name the input") }
    }

    func run() throws {
        let settings = try Settings.administrators()
        let input = try Input(path: file)
        var items = try RatedSource(try source(of: input), path: file, delimiter: delimiter)
        let messages = try MessageImport(
            databaseURL: settings.databaseURL, keepsCredits: keepCredits,
            tokenizers: Tokenizers(of: settings), attributionLimit: settings.attributionLimit,
            storesTexts: settings.storeText != .off, rates: items.rates)
        let rejections = Rejections(path: rejects ?? defaultRejectsPath)
        let progress = Progress(unit: "messages", totalBytes: input.size)
        defer { progress.end() }
        var count = 0
        while let item = try items.next() {
            if let faults = try stage(item, messages) { try rejections.add(item, faults) }
            count += 1
            progress.show(count, bytes: input.position)
        }
        let invalid = rejections.count
        progress.show("recording …")
        let outcome = try messages.record { line, message, rejection in
            try rejections.add(line: line, message, rejection)
        }
        // Commit only after all rejections are written.
        try rejections.close()
        try messages.commit()
        if outcome.created >= 10_000 { tidy(messages) }
        progress.end()
        for rate in messages.newRates { note("new rate: \(rate)") }
        print(
            "created \(outcome.created), duplicates \(outcome.duplicates), "
                + "conflicts \(outcome.conflicts), invalid \(invalid + outcome.invalid)")
        guard rejections.count == 0 else {
            note(
                "orbitalctl: rejected \(counted(rejections.count, "message")), "
                    + "see \(rejections.path)")
            throw ExitCode.failure
        }
    }

    /// Stages an item; returns its faults.
    private func stage(_ item: SourceItem, _ messages: MessageImport) throws -> [MessageFault]? {
        guard case .message(let content) = item.content else {
            return [MessageFault("", .malformed, "Rates must come before the first message.")]
        }
        guard let message = content.message else { return content.faults }
        return try messages.stage(message, line: item.line).map { [$0] }
    }

    /// Vacuums; a failure is only reported, because the records are committed.
    private func tidy(_ messages: MessageImport) {
        do {
            try messages.tidy()
        } catch {
            note("orbitalctl: VACUUM failed, reads are slower until autovacuum runs: \(error)")
        }
    }

    private func source(of input: Input) throws -> any MessageSource {
        switch try format ?? Format(sniffing: input) {
        case .ndjson: return NDJSONSource(input: input)
        case .json: return try JSONArraySource(input)
        case .csv: return try CSVSource(input, delimiter: delimiter)
        }
    }

    private var defaultRejectsPath: String {
        file == "-" ? "import.rejected.ndjson" : file + ".rejected.ndjson"
    }
}
