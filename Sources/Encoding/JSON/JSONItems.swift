/// The items of a body: one value, the elements of an array, or the lines of NDJSON; of each, what
/// the caller makes of it as soon as it is read, so that no more than one is kept as JSON.
public enum JSONItems<Item> {
    /// The value that is the whole text.
    case single(Item)
    /// The elements of an array, or the lines.
    case many([Item])

    /// Reads a text that is one value; the elements of an array one by one.
    ///
    /// Throws a fault, with the index of the element in which it is, and for a text with more than
    /// `limit` elements `TooManyItems`.
    public init(
        json text: consuming [UInt8], limit: Int, _ item: (JSONItem) -> Item
    ) throws {
        var parser = JSONParser(text)
        try parser.validate()
        guard let first = parser.peek() else { throw JSONFault(reason: "it is empty", offset: 0) }
        if first == UInt8(ascii: "[") {
            self = .many(try parser.elements(limit, item))
        } else {
            self = .single(item(try parser.item()))
        }
        if parser.peek() != nil {
            throw JSONFault(
                reason: "more follows after its end. Several values must be an array, or NDJSON "
                    + "(Content-Type: application/x-ndjson)",
                offset: parser.offset)
        }
    }

    /// Reads a text with one value a line; empty lines count for nothing.
    ///
    /// A line that is not JSON is an item like any other. Throws `TooManyItems` above `limit` lines.
    public init(
        lines text: consuming [UInt8], limit: Int, _ item: (JSONItem) -> Item
    ) throws {
        var parser = JSONParser(text)
        var items: [Item] = []
        while parser.goToNextLine() {
            guard items.count < limit else { throw TooManyItems() }
            items.append(item(parser.line()))
        }
        self = .many(items)
    }
}

extension JSONParser {
    /// The one value of the text or line.
    mutating func line() -> JSONItem {
        do throws(JSONFault) {
            try validate()
            let item = try item()
            return peek() == nil ? item : .malformed("more follows after its end")
        } catch {
            return .malformed(error.reason)
        }
    }

    fileprivate mutating func elements<Item>(
        _ limit: Int, _ item: (JSONItem) -> Item
    ) throws -> [Item] {
        skip()
        var items: [Item] = []
        if peek() == UInt8(ascii: "]") {
            skip()
            return []
        }
        while true {
            guard items.count < limit else { throw TooManyItems() }
            do throws(JSONFault) {
                items.append(item(try self.item()))
            } catch {
                throw JSONFault(reason: error.reason, offset: error.offset, index: items.count)
            }
            let next = peek()
            skip()
            if next == UInt8(ascii: "]") { return items }
            guard next == UInt8(ascii: ",") else {
                throw JSONFault(
                    reason: "',' or ']' is expected after it", offset: offset - 1,
                    index: items.count - 1)
            }
        }
    }
}

/// Why a text is not JSON, and where.
public struct JSONFault: Error, Equatable {
    /// What is wrong.
    public let reason: String

    /// The offset of the byte at which that was noticed.
    public let offset: Int

    /// The invalid element of an array, from 0.
    public internal(set) var index: Int?
}

/// A body has more items than are taken at once.
public struct TooManyItems: Error {}
