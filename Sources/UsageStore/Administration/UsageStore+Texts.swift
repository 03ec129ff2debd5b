import Postgres
import Threads
public import Usage

/// The result of erasing texts.
public struct ErasedTexts: Equatable, Sendable {
    /// The records whose text was removed; in a dry run, would be removed.
    public var count = 0
    /// Records that were skipped, because other transactions were changing them.
    public var skipped = 0
}

/// Texts that are to be erased.
enum TextSelection {
    /// Those of messages dated before an instant; their digests take their place.
    case before(Timestamp)
    /// Those of erased users, and their digests.
    case ofErasedUsers

    /// The ids of their records; a parameter is the instant.
    fileprivate var ids: String {
        switch self {
        case .before:
            "SELECT message_id FROM usage_record WHERE \"timestamp\" < $1::timestamptz AND \(isLeft)"
        case .ofErasedUsers:
            """
            SELECT message_id
            FROM (SELECT attribution_id FROM usage_attribution
                  WHERE user_id ~ '^\(Pseudonym.pattern)$' OFFSET 0) AS attribution,
                LATERAL (SELECT message_id FROM usage_record
                         WHERE attribution_id = attribution.attribution_id AND \(isLeft) OFFSET 0
                ) AS record
            """
        }
    }

    fileprivate var parameters: [String] {
        if case .before(let instant) = self { [instant.description] } else { [] }
    }

    /// Whether a record has what is to be erased.
    fileprivate var isLeft: String {
        switch self {
        case .before: "message_text IS NOT NULL"
        case .ofErasedUsers: "(message_text IS NOT NULL OR text_digest IS NOT NULL)"
        }
    }

    /// What takes the place of a text.
    fileprivate var digest: String {
        switch self {
        case .before: RecordingStatements.digest(of: "record")
        case .ofErasedUsers: "NULL"
        }
    }
}

extension UsageStore {
    /// The number of records in a transaction; see Tests/load/erase.py.
    private static let eraseBatchLimit = 100

    /// The number of ids in memory.
    private static let selectionLimit = 1_000_000

    /// Replaces texts of messages dated before `instant` with their digests, in short transactions.
    ///
    /// Calls `progress` with the number erased so far. A dry run changes nothing.
    public func eraseTexts(
        before instant: Timestamp, isDryRun: Bool, progress: (Int) -> Void
    ) throws -> ErasedTexts {
        let texts = TextSelection.before(instant)
        guard !isDryRun else { return ErasedTexts(count: try count(of: texts)) }
        return try erase(texts, progress)
    }

    func count(of texts: TextSelection) throws -> Int {
        try reportingUnavailability {
            try connected().query("SELECT count(*) FROM (\(texts.ids)) AS item", texts.parameters)[
                0, 0
            ].flatMap(Int.init) ?? 0
        }
    }

    /// Erases texts; those of records that are locked are skipped.
    func erase(_ texts: TextSelection, _ progress: (Int) -> Void) throws -> ErasedTexts {
        try reportingUnavailability {
            let connection = try connected()
            var total = ErasedTexts()
            var isLast = false
            // Without a full selection, there are no more texts than those that are recorded meanwhile.
            repeat {
                let before = total.count
                let ids = try selected(texts, connection)
                for start in stride(from: 0, to: ids.count, by: Self.eraseBatchLimit) {
                    let began = ContinuousClock.now
                    let batch = Array(ids[start..<min(start + Self.eraseBatchLimit, ids.count)])
                    let reader = try QueryReader(
                        connection, "erase_texts", Self.update(texts), [.array(batch)],
                        isStreamed: false)
                    total.count += reader.count
                    progress(total.count)
                    // Twice as long, for readers and writers.
                    pause(for: (ContinuousClock.now - began) * 2)
                }
                total.skipped = ids.count - (total.count - before)
                isLast = ids.count < Self.selectionLimit || total.count == before
            } while !isLast
            return total
        }
    }

    private func selected(
        _ texts: TextSelection, _ connection: Connection
    ) throws -> [Int64?] {
        let reader = try QueryReader(
            connection, "select_texts", "\(texts.ids) LIMIT \(Self.selectionLimit)",
            texts.parameters, isStreamed: true)
        var ids: [Int64?] = []
        while try reader.next() { ids.append(reader.integer(0)) }
        return ids
    }

    /// Skips locked records, because a transaction that waits for one would keep others locked.
    private static func update(_ texts: TextSelection) -> String {
        """
        UPDATE usage_record AS record SET message_text = NULL, text_digest = \(texts.digest),
            character_count = coalesce(character_count, char_length(message_text))
        FROM (SELECT message_id FROM usage_record
              WHERE message_id = ANY ($1::bigint[]) AND \(texts.isLeft)
              FOR UPDATE SKIP LOCKED) AS item,
            -- A record that is being closed may lose its text, which is in no sum.
            (SELECT set_config('orbital.closing', 'on', true)) AS closing
        WHERE record.message_id = item.message_id
        RETURNING 1
        """
    }

    /// Makes the space of what was erased reusable, and reads of the index alone possible again;
    /// removes what was erased from the statistics, which have samples of values.
    ///
    /// Fails after 5 s of waiting for a lock; autovacuum does it later.
    public func tidyAfterErasure() throws {
        let connection = try connected()
        try connection.run("SET lock_timeout = '5s'")
        for table in ["usage_record", "usage_attribution", "usage_value", "api_key"] {
            try connection.run("VACUUM (ANALYZE) \(table)")
        }
        try connection.run("RESET lock_timeout")
    }
}
