import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Records the messages of a file.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records the messages of a file; doing it again records nothing twice.",
        discussion: """
            Each message has message_id, timestamp (RFC 3339 with offset) and message_text, and may \
            have report_name, and credits_used, which must then agree with the price list. The \
            whole import is one transaction: when it fails or is stopped, nothing is recorded.

            Messages that cannot be recorded are written to a file with their line and the reason, \
            and the exit status is 1; the others are recorded.
            """)

    @Argument(help: "The file; - is standard input.") var file: String
    @Option(help: "ndjson, json (an array) or csv; found out from the content when not given.")
    var format: Format?
    @Option(help: "Where rejected messages go. (default: beside the file, .rejected.ndjson)")
    var rejects: String?

    func run() throws {
        try reporting {
            let databaseURL = try Settings.load().databaseURL
            let input = try Input(path: file)
            var source = try source(of: input)
            let messages = try MessageImport(databaseURL: databaseURL)
            let rejections = Rejections(path: rejects ?? defaultRejectsPath)
            let progress = Progress(unit: "messages", totalBytes: input.size)
            var count = 0
            var invalid = 0
            while let item = try source.next() {
                switch item.content {
                case .success(let message): try messages.stage(message, line: item.line)
                case .failure(let fault):
                    invalid += 1
                    try rejections.add(item, fault)
                }
                count += 1
                progress.show(count, bytes: input.position)
            }
            progress.show("recording …")
            let outcome = try messages.finish { line, message, rejection in
                try rejections.add(line: line, message, rejection)
            }
            progress.end()
            try rejections.close()
            print(
                "created \(outcome.created), duplicates \(outcome.duplicates), "
                    + "conflicts \(outcome.rejected), invalid \(invalid)")
            guard rejections.count == 0 else {
                note("orbitalctl: \(rejections.count) messages were rejected, see \(rejections.path)")
                throw ExitCode.failure
            }
        }
    }

    private func source(of input: Input) throws -> any MessageSource {
        switch try format ?? Format(sniffing: input) {
        case .ndjson: return NDJSONSource(input)
        case .json: return try JSONArraySource(input)
        case .csv: return try CSVSource(input)
        }
    }

    private var defaultRejectsPath: String {
        file == "-" ? "import.rejected.ndjson" : file + ".rejected.ndjson"
    }
}
