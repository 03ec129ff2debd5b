import Postgres
public import Usage

extension UsageStore {
    /// How many usage records there are.
    public func recordCount() throws -> Int {
        try reportingUnavailability {
            Int(try connected().query("SELECT count(*) FROM usage_record")[0, 0] ?? "") ?? 0
        }
    }
}

extension Snapshot {
    /// The price list, the oldest entry first; its first one has the number 1 in `forEachMessage`.
    public func creditRates() throws -> [CreditRate] {
        try reportingUnavailability { try PriceList(connection).rates }
    }

    /// Reads all messages with their texts, their credits, and how these were calculated.
    public func forEachMessage(_ body: (Message, Credits) throws -> Void) throws {
        try reportingUnavailability {
            let prices = try PriceList(connection)
            let rows = try CopyReader(
                connection,
                """
                COPY (
                    SELECT message_id, "timestamp", report_name, message_text, credit_hundredths,
                        token_count::bigint, token_encoding, credit_rate_id::bigint
                    FROM usage_record
                    ORDER BY "timestamp", message_id
                ) TO STDOUT (FORMAT binary)
                """, columns: 8)
            while try rows.next() {
                let account = rows.account(prices)
                let message = Message(
                    messageID: rows.integer(0),
                    timestamp: Timestamp(postgresMicroseconds: rows.integer(1)),
                    reportName: rows.string(2), text: rows.string(3) ?? "", account: account)
                try body(message, account.creditsUsed ?? Credits(hundredths: 0))
            }
        }
    }
}

extension CopyReader {
    /// How the credits of a row of `forEachMessage` were calculated.
    fileprivate func account(_ prices: PriceList) -> ExportedAccount {
        var account = ExportedAccount(creditsUsed: Credits(hundredths: integer(4)))
        account.tokenCount = isNull(5) ? nil : integer(5)
        account.tokenizer = string(6)
        account.rate = isNull(7) ? nil : prices.number(ofID: integer(7))
        if account.tokenCount == nil, let rate = account.rate {
            account.isEstimated = prices.rates[Int(rate) - 1].tokenizer != "characters"
        }
        return account
    }
}
