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
                "message_text, input_tokens or output_tokens is required."
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
                "Unknown field \"user\"; allowed: message_id, external_id, timestamp, report_name, "
                    + "user_id, team_id, model, tags, input_tokens, output_tokens, "
                    + "cache_read_input_tokens, cache_creation_input_tokens, message_text."
            ])
        #expect(
            faults("{\(Self.good),\"user\":1}") == [
                "Unknown field \"user\"; allowed: message_id, external_id, timestamp, recorded_at, "
                    + "report_name, user_id, team_id, model, tags, input_tokens, output_tokens, "
                    + "cache_read_input_tokens, cache_creation_input_tokens, corrects, reason, "
                    + "message_text, character_count, text_digest, credits_used, token_count, tokenizer, "
                    + "estimated, rate."
            ])
    }

    @Test func `names first what it has twice and what it may not have`() {
        let json = #"{"message_id":"1","message_id":null,"message_text":2,"x":3}"#
        #expect(
            item(json, .request).faults.map { "\($0.name) \($0.code.rawValue)" } == [
                "message_id duplicate_member", "x unknown_member", "message_id wrong_type",
                "message_text wrong_type",
            ])
    }

    @Test(arguments: [
        (#"{"message_text":"cut \ud83d"}"#, "message_text", MessageFault.Code.malformed),
        (#"{"message_text":"cut \udc00"}"#, "message_text", .malformed),
        (#"{"message_text":"a","report_name":"\ud83d\ud83d\ude00"}"#, "report_name", .malformed),
        (#"{"message_text":"a","timestamp":"\uDBFF"}"#, "timestamp", .malformed),
        (#"{"message_text":"a","\ud83d":1}"#, "??????", .unknownMember),
        (#"{"message_text":"a","x":["\ud83d"]}"#, "x", .unknownMember),
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
        #expect(read.message?.creditsUsed?.hundredths == hundredths, "\(credits)")
    }

    @Test func `has tags as an object, in canonical form, sorted by code point`() {
        #expect(
            faults(#"{"message_text":"a","tags":"env:prod"}"#, .request) == [
                #"tags must be an object of strings, such as {"env":"prod"}, or be omitted."#
            ])
        func tags(_ json: String) -> String? {
            item(#"{"message_text":"a","tags":\#(json)}"#, .request).record.attribution.tags
        }
        #expect(tags("{}") == nil)
        #expect(
            tags(#"{"env" : "prod","a-b":"1","B":"\u00e9","_":"q\"\\","a.b":"😀"}"#)
                == #"{"B":"é","_":"q\"\\","a-b":"1","a.b":"😀","env":"prod"}"#)
        let eight = (1...8).map { "\"k\($0)\":\"v\"" }.joined(separator: ",")
        #expect(tags("{\(eight)}") == "{\(eight)}")
    }

    @Test(arguments: [
        (#""tags":{"a":1}"#, "tags wrong_type"), (#""tags":[]"#, "tags wrong_type"),
        (#""tags":"{}""#, "tags wrong_type"), (#""tags":{"a":{"b":"c"}}"#, "tags wrong_type"),
        (#""tags":{"a":null}"#, "tags wrong_type"), (#""tags":{"a":1e400}"#, "tags wrong_type"),
        (#""tags":{"a":""}"#, "tags malformed"), (#""tags":{"":"a"}"#, "tags malformed"),
        (#""tags":{"a b":"c"}"#, "tags malformed"), (#""tags":{"é":"c"}"#, "tags malformed"),
        (#""tags":{"\ud83d":"c"}"#, "tags malformed"),
        (#""tags":{"a":"\ud83d"}"#, "tags malformed"),
        (#""tags":{"a":"x\u0000"}"#, "tags malformed"),
        (#""tags":{"a":"\u0085"}"#, "tags malformed"),
        (#""tags":{"a":"1","a":"2"}"#, "tags duplicate_member"),
        (
            #""tags":{"1":"a","2":"a","3":"a","4":"a","5":"a","6":"a","7":"a","8":"a","9":"a"}"#,
            "tags too_many"
        ),
        (#""user_id":"""#, "user_id malformed"), (#""model":"a\nb""#, "model malformed"),
        (#""team_id":"\u007f""#, "team_id malformed"),
        (#""external_id":"""#, "external_id malformed"),
        (#""input_tokens":-1"#, "input_tokens out_of_range"),
        (#""output_tokens":2147483648"#, "output_tokens out_of_range"),
        (#""output_tokens":1.5"#, "output_tokens wrong_type"),
        (
            #""input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":3"#,
            "input_tokens out_of_range"
        ),
        (#""cache_read_input_tokens":1"#, "input_tokens out_of_range"),
    ])
    func `reports a wrong attribution or wrong tokens`(members: String, fault: String) {
        let faults = item("{\"message_text\":\"a\",\(members)}", .request).faults
        #expect(faults.map { "\($0.name) \($0.code.rawValue)" } == [fault], "\(faults)")
    }

    @Test func `limits attributions and external ids to so many characters`() {
        for (name, most) in [
            ("user_id", 200), ("team_id", 200), ("model", 200), ("external_id", 255),
            ("report_name", 500), ("tags", 200),
        ] {
            func faults(_ count: Int) -> [String] {
                let text = "\"\(String(repeating: "\u{1F600}", count: count))\""
                let value = name == "tags" ? "{\"k\":\(text)}" : text
                return item("{\"message_text\":\"a\",\"\(name)\":\(value)}", .request).faults
                    .map { "\($0.name) \($0.code.rawValue)" }
            }
            #expect(faults(most) == [])
            #expect(faults(most + 1) == ["\(name) too_long"])
        }
        let key = String(repeating: "k", count: 64)
        func fault(_ key: String) -> [MessageFault.Code] {
            item("{\"message_text\":\"a\",\"tags\":{\"\(key)\":\"v\"}}", .request).faults.map(
                \.code)
        }
        #expect(fault(key) == [])
        #expect(fault(key + "k") == [.malformed])
    }

    @Test(arguments: ["input_tokens", "output_tokens"])
    func `needs no text if it has tokens`(name: String) {
        #expect(item("{\"\(name)\":0}", .request).faults == [])
        #expect(
            item(#"{"cache_read_input_tokens":0}"#, .request).faults.map(\.code) == [.missing])
    }

    @Test func `of a file may have the length and the digest instead of the text`() {
        let start = #""message_id":1,"timestamp":"2024-01-01T00:00:00Z""#
        let digest = String(repeating: "0a", count: 16)
        #expect(faults("{\(start),\"character_count\":5,\"text_digest\":\"\(digest)\"}") == [])
        #expect(faults("{\(start),\"character_count\":5}") == [])
        #expect(faults("{\(Self.good),\"character_count\":2}") == [])
        #expect(faults("{\(Self.good),\"character_count\":3}") == ["character_count must be 2."])
        #expect(
            faults("{\(Self.good),\"text_digest\":\"\(digest)\"}") == [
                "text_digest is only for messages without message_text."
            ])
        #expect(
            faults("{\(start),\"character_count\":5,\"text_digest\":\"\(digest)0\"}") == [
                "text_digest must have 32 digits from 0 to 9 and a to f."
            ])
    }
}
