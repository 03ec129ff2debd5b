import CJansson

/// Reads one JSON value after another from a text, with jansson.
///
/// jansson refuses text that is not UTF-8, lone surrogates, and more than 2,048 levels.
struct JSONParser {
    private let text: [UInt8]

    /// The offset of the first byte that was not read.
    private(set) var offset = 0

    init(_ text: [UInt8]) { self.text = text }

    /// Whether the text has no more than about `limit` values, told by what separates them.
    ///
    /// jansson makes a tree of all of them, which takes a hundred times the text's size for `[[],[],…`.
    static func hasFewValues(_ text: [UInt8], limit: Int) -> Bool {
        var count = 0
        var isInString = false
        var isEscaped = false
        for byte in text {
            if isEscaped {
                isEscaped = false
            } else if isInString {
                if byte == UInt8(ascii: "\\") { isEscaped = true }
                if byte == UInt8(ascii: "\"") { isInString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): count += 1
                default: break
                }
            }
        }
        return count <= limit
    }

    /// The next byte that is no blank (RFC 8259, section 2); nil at the end.
    mutating func peek() -> UInt8? {
        while offset < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[offset]) { offset += 1 }
        return offset < text.count ? text[offset] : nil
    }

    /// Goes past the byte that `peek` returned.
    mutating func skip() { offset += 1 }

    /// Reads the value that begins here; throws when there is none.
    mutating func item() throws(JSONFault) -> JSONItem {
        var error = json_error_t()
        if let value = load(JSON_REJECT_DUPLICATES, &error) {
            defer { json_decref(value) }
            return Self.item(value)
        }
        let fault = JSONFault(reason: reason(error), offset: offset + Int(error.position))
        // The item is read once more without the rule that it broke, to find its end.
        switch json_error_code(&error) {
        case json_error_duplicate_key: return try skipped(.duplicateMember, 0, fault)
        case json_error_numeric_overflow:
            return try skipped(.hugeInteger, JSON_DECODE_INT_AS_REAL, fault)
        default: throw fault
        }
    }

    private mutating func skipped(
        _ item: JSONItem, _ flags: Int32, _ fault: JSONFault
    ) throws(JSONFault) -> JSONItem {
        var error = json_error_t()
        guard let value = load(flags, &error) else { throw fault }
        json_decref(value)
        return item
    }

    private mutating func load(
        _ flags: Int32, _ error: inout json_error_t
    ) -> UnsafeMutablePointer<json_t>? {
        let all = flags | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL
        let value = text[offset...].withUnsafeBytes { rest in
            json_loadb(rest.baseAddress, rest.count, Int(all), &error)
        }
        if value != nil { offset += Int(error.position) }
        return value
    }

    private func reason(_ error: json_error_t) -> String {
        var error = error
        return withUnsafeBytes(of: &error.text) { text in
            String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static func item(_ value: UnsafeMutablePointer<json_t>) -> JSONItem {
        guard value.pointee.type == JSON_OBJECT else { return .other }
        var members: [String: JSONValue] = [:]
        var iterator = json_object_iter(value)
        while let position = iterator {
            if let member = json_object_iter_value(position) {
                members[String(cString: json_object_iter_key(position))] = Self.value(member)
            }
            iterator = json_object_iter_next(value, position)
        }
        return .object(members)
    }

    private static func value(_ value: UnsafeMutablePointer<json_t>) -> JSONValue {
        switch value.pointee.type {
        case JSON_STRING:
            let bytes = UnsafeRawBufferPointer(
                start: json_string_value(value), count: json_string_length(value))
            return .string(String(decoding: bytes, as: UTF8.self))
        case JSON_INTEGER: return .integer(json_integer_value(value))
        case JSON_REAL: return .real(json_real_value(value))
        case JSON_TRUE: return .bool(true)
        case JSON_FALSE: return .bool(false)
        case JSON_ARRAY: return .array
        case JSON_OBJECT: return .object
        default: return .null
        }
    }
}
