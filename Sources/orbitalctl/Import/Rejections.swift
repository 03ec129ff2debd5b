import Foundation
import Encoding
import MessageReader
import Usage
import UsageStore

/// The file of messages that were not recorded: NDJSON with line, reason and content.
///
/// It is made with the first of them, in place of what an earlier import left there.
final class Rejections {
    let path: String
    private(set) var count = 0
    private var file: OutputFile?

    init(path: String) { self.path = path }

    /// Adds an item that is not a valid message, with its text.
    func add(_ item: SourceItem, _ faults: [MessageFault]) throws {
        let reason = faults.map(\.message).joined(separator: " ")
        try add(line: item.line, reason: reason) {
            $0.member("input", String(decoding: item.raw, as: UTF8.self))
        }
    }

    /// Adds a message that the database refused.
    func add(line: Int, _ message: UsageRecord, _ rejection: MessageImport.Rejection) throws {
        let reason: String
        switch rejection {
        case .refused(.closed):
            reason = "the books are closed at its timestamp: see orbitalctl close status"
        case .refused(let refusal): reason = refusal.reason
        case .otherRate: reason = "rate is not the one in force at timestamp"
        case .conflict(let names): reason = conflict(message, names)
        case .otherCredits(let price):
            reason =
                "credits_used is \(message.value(in: .creditsUsed) ?? ""), "
                + "but the price list yields \(price)"
        }
        try add(line: line, reason: reason) {
            $0.name("message")
            $0.object { $0.members(of: message) }
        }
    }

    private func conflict(_ message: UsageRecord, _ names: [String]) -> String {
        let conflict = message.conflict(names)
        let id = "\(conflict.id.name) \(message.value(in: conflict.id) ?? "")"
        return ([id + " " + conflict.reason] + conflict.faults.map(\.message))
            .joined(separator: " ")
    }

    /// Completes the file; without rejections, removes the file of an earlier import, unless it is a
    /// device, pipe or link.
    func close() throws {
        if let file { return try file.close() }
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG { return }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw Failure("cannot remove \(path)", status: EX_IOERR)
        }
    }

    private func add(line: Int, reason: String, _ content: (inout JSONWriter) -> Void) throws {
        let file = try self.file ?? OutputFile(path: path)
        self.file = file
        count += 1
        var json = JSONWriter()
        json.object { json in
            json.member("line", literal: String(line))
            json.member("reason", reason)
            content(&json)
        }
        try file.write(json.bytes + [0x0a])
    }
}

extension JSONWriter {
    /// Writes the members of a message in the order of the exports.
    mutating func members(of message: UsageRecord) {
        for column in MessageForm.file.columns {
            member(column.name, message.value(in: column), isQuoted: column.kind.isQuoted)
        }
    }
}
