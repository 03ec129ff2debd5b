import Foundation
import Usage

/// The objects of one JSON array, found by their braces and decoded one at a time.
struct JSONArraySource: MessageSource {
    private let input: Input
    private let decoder = MessageDecoder()
    private var isFirst = true
    private var isAtEnd = false

    init(_ input: Input) throws {
        self.input = input
        guard try input.peekAfterBlanks() == UInt8(ascii: "[") else {
            throw Self.broken("it does not begin with [", line: input.line)
        }
        _ = try input.next()
    }

    mutating func next() throws -> SourceItem? {
        if isAtEnd { return nil }
        guard let separator = try input.peekAfterBlanks() else { throw unfinished }
        if separator == UInt8(ascii: "]") {
            _ = try input.next()
            isAtEnd = true
            guard try input.peekAfterBlanks() == nil else {
                throw Self.broken("something follows the array", line: input.line)
            }
            return nil
        }
        if !isFirst {
            guard separator == UInt8(ascii: ",") else {
                throw Self.broken("two elements are not separated by a comma", line: input.line)
            }
            _ = try input.next()
            guard try input.peekAfterBlanks() != nil else { throw unfinished }
        }
        isFirst = false
        return try element()
    }

    /// Takes one element up to the comma or bracket that follows it.
    private mutating func element() throws -> SourceItem {
        let line = input.line
        var element: [UInt8] = []
        var length = 0
        var depth = 0
        var isInString = false
        var isEscaped = false
        while let byte = try input.peek() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else if depth == 0, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") {
                return item(element, length: length, line: line)
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
            length += 1
            if length <= SourceItem.limitBytes { element.append(byte) }
            _ = try input.next()
        }
        throw unfinished
    }

    private func item(_ element: [UInt8], length: Int, line: Int) -> SourceItem {
        guard length <= SourceItem.limitBytes else {
            return SourceItem(
                line: line, raw: Array(element.prefix(SourceItem.shownBytes)),
                content: .failure(SourceItem.tooLong))
        }
        return SourceItem(line: line, raw: element, content: decoder.message(from: element))
    }

    private var unfinished: Failure {
        Self.broken("it ends before its closing ]", line: input.line)
    }

    private static func broken(_ what: String, line: Int) -> Failure {
        Failure(message: "line \(line): the JSON array is broken: \(what)", status: EX_DATAERR)
    }
}
