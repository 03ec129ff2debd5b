import Postgres
public import Usage

extension UsageStore {
    /// Reads all messages with their texts and the credits they used, in the same order.
    public func forEachMessage(_ body: (Message, Credits) throws -> Void) throws {
        try reportingUnavailability { try readMessages(try connected(), body) }
    }

    /// How many usage records there are.
    public func recordCount() throws -> Int {
        try reportingUnavailability {
            Int(try connected().query("SELECT count(*) FROM usage_record")[0, 0] ?? "") ?? 0
        }
    }
}

extension Snapshot {
    /// As the store's, of this state.
    public func forEachMessage(_ body: (Message, Credits) throws -> Void) throws {
        try reportingUnavailability { try readMessages(connection, body) }
    }
}

private func readMessages(
    _ connection: Connection, _ body: (Message, Credits) throws -> Void
) throws {
    let rows = try CopyReader(
        connection,
        """
        COPY (
            SELECT message_id, "timestamp", report_name, message_text, credit_hundredths
            FROM usage_record
            ORDER BY "timestamp", message_id
        ) TO STDOUT (FORMAT binary)
        """, columns: 5)
    while try rows.next() {
        let credits = Credits(hundredths: rows.integer(4))
        let message = Message(
            messageID: rows.integer(0),
            timestamp: Timestamp(postgresMicroseconds: rows.integer(1)),
            reportName: rows.string(2), text: rows.string(3) ?? "",
            account: ExportedAccount(creditsUsed: credits))
        try body(message, credits)
    }
}
