import ArgumentParser
import Configuration
import Foundation
import HTTP
import Usage
import UsageStore

/// Writes all messages with their credits.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes all messages with their credits, ordered by time; import reads it back.",
        discussion: """
            Values are exact: no cell is changed for the sake of spreadsheets. A file appears under \
            its name only when it is complete.
            """)

    @Option(help: "ndjson, json (an array) or csv.") var format: Format = .ndjson
    @Option(name: .shortAndLong, help: "The file. (default: standard output)") var output: String?

    func run() throws {
        try reporting {
            let settings = try Settings.administrators()
            let store = UsageStore(
                databaseURL: settings.databaseURL, applicationName: "orbitalctl export",
                waitSeconds: settings.databaseWaitSeconds)
            let progress = Progress(
                unit: "messages", totalBytes: try store.recordCount(),
                isShown: isatty(STDERR_FILENO) == 1 && (output != nil || isatty(STDOUT_FILENO) == 0)
            )
            let file = try OutputFile(path: output)
            var count = 0
            try file.write(opening)
            try store.forEachMessage { message, credits in
                try file.write(encoded(message, credits, isFirst: count == 0))
                count += 1
                progress.show(count)
            }
            try file.write(closing)
            try file.close()
            progress.end()
            note("exported \(count) messages")
        }
    }

    private static let columns = [
        "message_id", "timestamp", "report_name", "message_text", "credits_used",
    ]

    private var opening: [UInt8] {
        switch format {
        case .ndjson: return []
        case .json: return [UInt8(ascii: "[")]
        case .csv:
            var csv = CSVWriter()
            csv.row(Self.columns)
            return csv.bytes
        }
    }

    private var closing: [UInt8] { format == .json ? Array("]\n".utf8) : [] }

    private func encoded(_ message: Message, _ credits: Credits, isFirst: Bool) -> [UInt8] {
        if format == .csv {
            var csv = CSVWriter()
            csv.row([
                String(message.messageID), message.timestamp.description, message.reportName,
                message.text, credits.description,
            ])
            return csv.bytes
        }
        var json = JSONWriter()
        json.object { $0.members(of: message, credits: credits) }
        if format == .ndjson { return json.bytes + [0x0a] }
        return isFirst ? json.bytes : [UInt8(ascii: ","), 0x0a] + json.bytes
    }
}
