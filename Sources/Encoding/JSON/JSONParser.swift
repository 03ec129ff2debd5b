import CRapidJSON

/// Reads one JSON value after another from a text, or from one line of it after another, with
/// RapidJSON, which takes RFC 8259 nearly at its word.
///
/// Rejects text that is not UTF-8. A fault inside a value whose end can still be found, such as
/// half of a surrogate pair or too many levels, is reported for that value only. Of a value, only
/// the members of an object are kept, so that no text takes more memory than its size.
struct JSONParser {
    /// The text, with a NUL after it and after every line; what was read is overwritten.
    private var text: [UInt8]

    private var value = json_value()

    /// The offset of the first byte that was not read.
    private(set) var offset = 0

    /// Where the text ends, or the line that is read.
    private var end: Int

    private var nextLine = 0

    /// A byte order mark at the front is not part of the text.
    init(_ text: consuming [UInt8]) {
        end = text.count
        self.text = text
        self.text.append(0)
        if self.text.starts(with: [0xef, 0xbb, 0xbf]) {
            offset = 3
            nextLine = 3
        }
    }

    /// Makes the next line that is not blank the text; false when there is none.
    mutating func goToNextLine() -> Bool {
        while nextLine < text.count - 1 {
            offset = nextLine
            end = text[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count - 1
            nextLine = end + 1
            if peek() != nil {
                text[end] = 0
                return true
            }
        }
        return false
    }

    /// Throws unless the unread text is UTF-8 without control characters that RapidJSON misses;
    /// must be called before the first item is read.
    mutating func validate() throws(JSONFault) {
        try check()
        let range = offset..<end
        text.withUnsafeMutableBytes { bytes in
            let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            json_mark_half_pairs(text, range.lowerBound, range.upperBound)
        }
    }

    private func check() throws(JSONFault) {
        let rest = text.span.extracting(offset..<end)
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: rest)
        } catch {
            throw JSONFault(
                reason: "the text is not UTF-8", offset: offset + error.byteOffsets.lowerBound)
        }
        if rest.holdsMissedControl {
            let place = text[offset..<end].firstIndex(where: isMissedControl) ?? offset
            throw JSONFault(reason: "a control character is not escaped", offset: place)
        }
    }

    /// The next byte that is no blank (RFC 8259, section 2); nil at the end.
    mutating func peek() -> UInt8? {
        while offset < end {
            switch text[offset] {
            case 0x20, 0x09, 0x0a, 0x0d: offset += 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// Goes past the byte that `peek` returned.
    mutating func skip() { offset += 1 }

    /// Reads the value that begins here; throws when there is none.
    mutating func item() throws(JSONFault) -> JSONItem {
        let start = offset
        text.withUnsafeMutableBytes { bytes in
            let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            json_read(text, start, &value)
        }
        offset = min(value.end, end)
        if let error = value.error {
            // Such as "Missing a name for object member."
            throw JSONFault(reason: String(cString: error).dropFullStop, offset: offset)
        }
        return value.kind == JSON_OBJECT ? .object(members()) : .other
    }

    /// The members of the object that was read; their bytes are in `text`.
    private mutating func members() -> JSONMembers {
        withUnsafePointer(to: &value) { value in
            Self.members(
                json_members(value), 0..<value.pointee.member_count,
                isCut: value.pointee.is_cut, nested: json_nested(value))
        }
    }

    private static func members(
        _ members: UnsafePointer<json_member>?, _ range: Range<Int>, isCut: Bool,
        nested: UnsafePointer<json_member>?
    ) -> JSONMembers {
        let limit = Int(JSON_MEMBER_LIMIT)
        let known = range.clamped(to: 0..<limit)
        var read = JSONMembers(
            isCut: isCut || range.upperBound > limit, capacity: known.count)
        guard let members else { return read }
        for index in known {
            let member = members[index]
            read.append(name(member.name, member.name_length), value(member, nested: nested))
        }
        return read
    }

    /// The most bytes of a name that are kept, more than any name has that is asked for.
    ///
    /// Strings are compared by what they look like: with many marks on a letter, in quadratic time.
    private static let nameLimit = 100

    private static func name(_ bytes: UnsafePointer<CChar>?, _ count: Int) -> String {
        guard let bytes, count > nameLimit else { return string(bytes, count) }
        var end = nameLimit
        while UInt8(bitPattern: bytes[end]) & 0xc0 == 0x80 { end -= 1 }
        return string(bytes, end) + "…"
    }

    /// A string of the text, all of which is known to be UTF-8.
    private static func string(_ bytes: UnsafePointer<CChar>?, _ count: Int) -> String {
        let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
        return String(copying: UTF8Span(unchecked: bytes.assumingMemoryBound(to: UInt8.self).span))
    }

    private static func value(
        _ member: json_member, nested: UnsafePointer<json_member>?
    ) -> JSONValue {
        switch member.kind {
        case JSON_STRING: return .string(string(member.value, member.value_length))
        case JSON_NUMBER: return number(member)
        case JSON_BROKEN_STRING: return .brokenString
        case JSON_TRUE: return .bool(true)
        case JSON_FALSE: return .bool(false)
        case JSON_ARRAY: return .array
        case JSON_OBJECT:
            let range = member.first_nested..<member.first_nested + member.nested_count
            return .object(members(nested, range, isCut: false, nested: nil))
        default: return .null
        }
    }

    private static func number(_ member: json_member) -> JSONValue {
        let digits = UnsafeRawBufferPointer(start: member.value, count: member.value_length)
        // If this is nil, the number is too large, and RapidJSON did not parse it to its end.
        return .number(JSONNumber(bytes: digits) ?? .huge)
    }
}

/// Whether this is one of the control characters that RapidJSON lets through raw: where it compares
/// 16 bytes at once, it takes those from 0x1A for text.
private func isMissedControl(_ byte: UInt8) -> Bool { byte &- 0x1a < 0x20 - 0x1a }

extension Span<UInt8> {
    /// Looks at all bytes, whatever it finds, so that the compiler can compare many at once.
    fileprivate var holdsMissedControl: Bool {
        var found: UInt8 = 0
        for index in indices { found |= isMissedControl(self[index]) ? 1 : 0 }
        return found != 0
    }
}

extension String {
    fileprivate var dropFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
