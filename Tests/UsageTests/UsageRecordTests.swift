import Testing
import Usage

@Suite struct `The table of record columns` {
    @Test func `has the columns of each form, in one order`() {
        func names(_ form: UsageRecord.Form) -> String {
            UsageRecord.Column.columns(of: form).map(\.name).joined(separator: ",")
        }
        #expect(names(.request) == "message_id,timestamp,report_name,message_text")
        #expect(names(.response) == "message_id,timestamp,report_name,credits_used")
        #expect(
            names(.file)
                == "message_id,timestamp,report_name,message_text,credits_used,token_count,tokenizer,estimated,rate"
        )
    }

    /// ETags contain it: if it differed between builds, an upgrade would empty all caches.
    @Test func `has a digest that only a change of responses changes`() {
        #expect(UsageRecord.Column.digest == 0xdd6d5ea6eb069e86)
    }

    @Test func `gives the value of each column as JSON and CSV have it`() {
        var record = UsageRecord()
        #expect(UsageRecord.Column.all.allSatisfy { record.value(in: $0) == nil })
        record.messageID = -1
        record.timestamp = Timestamp("2024-01-15T14:30:00Z")
        record.reportName = "\"é"
        record.text = ""
        record.creditsUsed = Credits(hundredths: 1560)
        record.tokenCount = 3
        record.tokenizer = "o200k_base"
        record.isEstimated = true
        record.rate = 2
        #expect(
            UsageRecord.Column.all.map { record.value(in: $0) } == [
                "-1", "2024-01-15T14:30:00Z", "\"é", "", "15.60", "3", "o200k_base", "true", "2",
            ])
    }
}
