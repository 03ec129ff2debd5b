import Testing
import Usage

@Suite struct `The table of record columns` {
    @Test func `has the columns of each form, in one order`() {
        func names(_ form: UsageRecord.Form) -> String {
            UsageRecord.Column.columns(of: form).map(\.name).joined(separator: ",")
        }
        let ids = "message_id,external_id,timestamp"
        let attribution = "user_id,team_id,model,tags"
        let tokens = """
            input_tokens,output_tokens,cache_read_input_tokens,cache_creation_input_tokens
            """
        #expect(names(.request) == "\(ids),report_name,\(attribution),\(tokens),message_text")
        #expect(names(.response) == "message_id,timestamp,report_name,credits_used")
        let fields = "\(ids),recorded_at,report_name,\(attribution),\(tokens),corrects,reason"
        #expect(names(.fields) == "\(fields),credits_used")
        #expect(names(.named) == "corrected")
        #expect(
            names(.file) == """
                \(fields),message_text,character_count,text_digest,credits_used,token_count,\
                tokenizer,estimated,rate
                """)
    }

    @Test(arguments: [
        ("", false, false), ("a", true, true), (" ~", true, true), ("a\u{1f}", false, true),
        ("a\u{7f}", false, true), ("é\u{9f}", false, true), ("a\0", false, false),
        ("é\u{a0}", true, true), (String(repeating: "a", count: 200), true, true),
        (String(repeating: "é", count: 200), true, true),
        (String(repeating: "a", count: 201), false, false),
        (String(repeating: "é", count: 201), false, false),
    ])
    func `allows texts by their Unicode scalars, in ASCII or not`(
        text: String, isIdentifier: Bool, isName: Bool
    ) {
        let (identifier, name) = (
            UsageRecord.TextLimit.identifier(200), UsageRecord.TextLimit.characters(200)
        )
        #expect(identifier.faults(text, "user_id").isEmpty == isIdentifier)
        #expect(name.faults(text, "report_name").isEmpty == isName)
    }

    /// ETags contain it: if it differed between builds, an upgrade would empty all caches.
    @Test func `has a digest that only a change of responses changes`() {
        #expect(UsageRecord.Column.digest == 0x265aa2503dc0f57f)
    }

    @Test func `gives the value of each column as JSON and CSV have it`() {
        var record = UsageRecord()
        #expect(UsageRecord.Column.all.allSatisfy { record.value(in: $0) == nil })
        record.messageID = -1
        record.timestamp = Timestamp("2024-01-15T14:30:00Z")
        record.externalID = "chatcmpl-1"
        record.recordedAt = Timestamp("2024-01-15T14:30:01Z")
        record.reportName = "\"é"
        record.attribution.userID = "u-17"
        record.attribution.teamID = "legal"
        record.attribution.model = "gpt-5"
        record.attribution.tags = #"{"env":"prod"}"#
        record.reported.input = 1200
        record.reported.output = 305
        record.reported.cacheRead = 800
        record.reported.cacheCreation = 0
        record.corrects = 7
        record.reason = "wrong"
        record.text = ""
        record.characterCount = 0
        record.textDigest = String(repeating: "0a", count: 16)
        record.creditsUsed = Credits(hundredths: 1560)
        record.corrected = Credits(hundredths: -560)
        record.tokenCount = 3
        record.tokenizer = "o200k_base"
        record.isEstimated = true
        record.rate = 2
        #expect(
            UsageRecord.Column.all.map { record.value(in: $0) } == [
                "-1", "chatcmpl-1", "2024-01-15T14:30:00Z", "2024-01-15T14:30:01Z", "\"é", "u-17",
                "legal", "gpt-5", #"{"env":"prod"}"#, "1200", "305", "800", "0", "7", "wrong", "",
                "0", "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "15.60", "-5.60", "3",
                "o200k_base", "true", "2",
            ])
    }
}
