import Encoding
import Foundation

/// The objects of one JSON array, split at their braces and decoded one at a time.
struct JSONArraySource: MessageSource {
    private let input: Input
    private var isFirst = true
    private var isAtEnd = false

    init(_ input: Input) throws {
        self.input = input
        guard try input.peekAfterBlanks() == UInt8(ascii: "[") else {
            throw broken("it must begin with [")
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
                throw broken("text follows the array")
            }
            return nil
        }
        if !isFirst {
            guard separator == UInt8(ascii: ",") else {
                throw broken("a comma is missing between two elements")
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
        var element = LimitedBytes()
        var depth = 0
        while true {
            try input.read(until: Self.isStructure, { element.append($0) })
            guard let byte = try input.peek() else { throw unfinished }
            if depth == 0, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") {
                return SourceItem(line: line, json: element)
            }
            _ = try input.next()
            element.append(byte)
            switch byte {
            case UInt8(ascii: "\""): try string(&element)
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
    }

    /// Takes the rest of a string.
    private mutating func string(_ element: inout LimitedBytes) throws {
        let isEnd = { (byte: UInt8) in byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") }
        while true {
            try input.read(until: isEnd, { element.append($0) })
            guard let byte = try input.next() else { throw unfinished }
            element.append(byte)
            if byte == UInt8(ascii: "\"") { return }
            if let escaped = try input.next() { element.append(escaped) }
        }
    }

    private static func isStructure(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "}"),
            UInt8(ascii: "]"), UInt8(ascii: ","):
            true
        default: false
        }
    }

    private var unfinished: Failure { broken("the closing ] is missing") }

    private func broken(_ what: String) -> Failure {
        Failure(message: "line \(input.line): invalid JSON array: \(what)", status: EX_DATAERR)
    }
}
