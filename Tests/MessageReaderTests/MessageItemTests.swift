import Encoding
import MessageReader
import Testing
import Usage

@Suite struct `A message item` {
    private static let good =
        #""message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"Hi""#

    private func item(_ json: String, _ form: MessageForm = .file) -> MessageItem {
        MessageItem(JSONItem(Array(json.utf8)), form)
    }

    private func faults(_ json: String, _ form: MessageForm = .file) -> [String] {
        item(json, form).faults.map(\.message)
    }

    @Test func `treats null as an absent member, in requests and in files`() {
        let nulls = #"{"message_id":101,"report_name":null,"timestamp":null,"message_text":"hi"}"#
        let read = item(nulls, .request)
        #expect(read.faults == [])
        var message = UsageRecord()
        message.messageID = 101
        message.text = "hi"
        #expect(read.message == message)
        #expect(faults(nulls) == ["timestamp is missing."])
        let good = item("{\(Self.good)}").message
        #expect(good != nil)
        #expect(item("{\(Self.good),\"credits_used\":null,\"report_name\":null}").message == good)
        #expect(
            faults(#"{"message_text":null}"#, .request) == [
                "message_text is missing."
            ])
    }

    @Test func `ignores a byte order mark`() {
        #expect(item("\u{feff}{\(Self.good)}").message?.text == "Hi")
    }

    @Test(arguments: [
        ("318", 318), ("318.0", 318), ("3.18e2", 318), ("31800E-2", 318), ("-0.0", 0), ("0e400", 0),
        ("9223372036854775807", .max), ("9223372036854775807.000", .max),
        ("-9223372036854775808", .min), ("9.223372036854775807e18", .max),
        ("1000000000000000000", 1_000_000_000_000_000_000),
    ])
    func `accepts integral numbers as integers, exactly`(number: String, id: Int64) {
        #expect(
            item(#"{"message_id":\#(number),"message_text":""}"#).record.messageID == id,
            "\(number)")
    }

    @Test(arguments: [
        ("318.5", "message_id must be an integer."), ("1e-1", "message_id must be an integer."),
        ("9223372036854775807.5", "message_id must be an integer."),
        ("9223372036854775808", "message_id must be a 64-bit integer."),
        ("-9223372036854775809", "message_id must be a 64-bit integer."),
        ("1e19", "message_id must be a 64-bit integer."),
        ("1e400", "message_id must be a 64-bit integer."),
        (String(repeating: "2", count: 999), "message_id must be a 64-bit integer."),
        ("\"318\"", "message_id must be an integer."),
    ])
    func `reports an id that is not a 64-bit integer`(number: String, fault: String) {
        let json =
            #"{"message_id":\#(number),"timestamp":"2024-01-01T00:00:00Z","message_text":""}"#
        #expect(faults(json) == [fault], "\(number)")
    }

    @Test func `lists the allowed fields if it has others`() {
        #expect(
            faults(#"{"message_text":"a","user":"u"}"#, .request) == [
                "Unknown field \"user\"; allowed: message_id, timestamp, report_name, message_text."
            ])
        #expect(
            faults("{\(Self.good),\"user\":1}") == [
                "Unknown field \"user\"; allowed: message_id, timestamp, report_name, message_text, "
                    + "credits_used, token_count, tokenizer, estimated, rate."
            ])
    }

    @Test func `names first what it has twice and what it may not have`() {
        let json = #"{"message_id":"1","message_id":null,"message_text":2,"x":3}"#
        #expect(
            item(json, .request).faults.map { "\($0.name) \($0.code.rawValue)" } == [
                "message_id duplicate_member", "x unknown", "message_id wrong_type",
                "message_text wrong_type",
            ])
    }

    @Test(arguments: [
        (#"{"message_text":"cut \ud83d"}"#, "message_text", MessageFault.Code.malformed),
        (#"{"message_text":"cut \udc00"}"#, "message_text", .malformed),
        (#"{"message_text":"a","report_name":"\ud83d\ud83d\ude00"}"#, "report_name", .malformed),
        (#"{"message_text":"a","timestamp":"\uDBFF"}"#, "timestamp", .malformed),
        (#"{"message_text":"a","\ud83d":1}"#, "??????", .unknown),
        (#"{"message_text":"a","x":["\ud83d"]}"#, "x", .unknown),
        (#"{"message_text":"a","message_id":1e400}"#, "message_id", .outOfRange),
        (#"{"message_text":"a","message_id":0e400}"#, "", .malformed),
        (#"{"message_id":1e400,"timestamp":[1,"]",{}]}"#, "message_id", .outOfRange),
    ])
    func `is invalid alone if a member cannot be stored`(
        json: String, name: String, code: MessageFault.Code
    ) {
        let faults = item(json, .request).faults
        #expect(faults.map(\.name) == [name] && faults.map(\.code) == [code], "\(json): \(faults)")
    }

    @Test func `keeps an escaped backslash before text that looks like a surrogate`() {
        #expect(
            item(#"{"message_text":"\\ud83d \ud83d\ude00"}"#, .request).message?
                .text
                == "\\ud83d 😀")
    }

    @Test(arguments: [2047, 2048, 2049, 100_000])
    func `is invalid alone if it is nested too deeply`(depth: Int) {
        let nested =
            String(repeating: #"{"a":["#, count: depth / 2)
            + String(repeating: "]}", count: depth / 2)
        #expect(
            item(#"{"message_text":\#(nested)}"#, .request).faults.map(\.code)
                == [.wrongType])
    }

    @Test func `limits report names as the table does`() {
        func fault(_ name: String) -> [String] {
            faults(#"{\#(Self.good),"report_name":"\#(name)"}"#)
        }
        #expect(fault(String(repeating: "\u{1F600}", count: 500)) == [])
        #expect(fault("") == ["report_name must have 1 to 500 characters."])
        #expect(
            fault(String(repeating: "x", count: 501)) == [
                "report_name must have 1 to 500 characters."
            ])
        #expect(
            fault("a\\u0000b") == [
                "report_name contains a NUL character (U+0000), which PostgreSQL cannot store."
            ])
    }

    @Test(arguments: [
        ("15.60", 1560), ("15.6", 1560), ("0", 0), ("1.56e1", 1560), ("15.605", nil), ("-1", nil),
        ("1e400", nil), ("\"15.60\"", nil),
    ])
    func `has credits with at most two decimals`(credits: String, hundredths: Int64?) {
        let read = item(#"{\#(Self.good),"credits_used":\#(credits)}"#)
        #expect(read.faults.isEmpty == (hundredths != nil))
        #expect(read.record.creditsUsed?.hundredths == hundredths, "\(credits)")
    }
}
