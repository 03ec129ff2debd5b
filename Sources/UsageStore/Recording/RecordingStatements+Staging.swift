import Usage

/// The tables of staged messages and their attributions.
extension RecordingStatements {
    /// Which external ids staged messages have.
    enum ExternalIDs {
        /// None.
        case none
        /// Each under one message id.
        case unique
        /// Some under several message ids.
        case shared
    }

    /// The columns of messages in it.
    ///
    /// The model is there for the price; users, teams and tags are in the importing program.
    static let stagedColumns = UsageRecord.Column.columns(of: .file)
        .filter { $0 != .recordedAt && ($0.table == .record || $0 == .model) }

    /// Creates them; a flag is 1 or NULL.
    static let createStaging = """
        CREATE TEMPORARY TABLE staged_message (
            item_number bigint, has_own_credits bigint, attribution_key bigint,
            \(stagedColumns.map { "\($0.sql) \($0.kind.sqlType)" }.joined(separator: ", "))
        ) ON COMMIT DROP;
        CREATE TEMPORARY TABLE staged_attribution (
            attribution_key bigint PRIMARY KEY, attribution_id bigint, digest bytea
        ) ON COMMIT DROP;
        CREATE TEMPORARY TABLE refused_correction (
            item_number bigint PRIMARY KEY, refusal text
        ) ON COMMIT DROP
        """

    /// The staged messages; their attribution is 0 if it may not be created.
    static let stagedRows = """
        SELECT staged.*, CASE WHEN attribution_key IS NOT NULL
            THEN coalesce(attribution.attribution_id, 0) END AS attribution_id
        FROM staged_message AS staged LEFT JOIN staged_attribution AS attribution
            USING (attribution_key)
        """

    /// Sets the numbers of attributions: arrays of keys, numbers and digests.
    static let setAttributions = """
        INSERT INTO staged_attribution (attribution_key, attribution_id, digest)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS item(key, id, digest)
        ON CONFLICT (attribution_key)
            DO UPDATE SET attribution_id = excluded.attribution_id, digest = excluded.digest
        """

    /// Whether a user has been erased.
    static let hasErasedUser = """
        SELECT EXISTS (SELECT FROM usage_attribution
            WHERE user_id LIKE 'erased-%' OR tags::text LIKE '%"erased-%')
        """

    /// The keys of the staged attributions that new messages have.
    ///
    /// A retry, also of a closed record, or a correction must not create one: that would bring the id of an erased user
    /// back.
    static let newAttributions = """
        SELECT DISTINCT attribution_key
        FROM staged_message AS item
        WHERE attribution_key IS NOT NULL
            AND NOT EXISTS (SELECT FROM usage_record WHERE message_id = item.message_id)
            AND NOT EXISTS (SELECT FROM usage_record WHERE external_id = item.external_id)
            AND NOT EXISTS (SELECT FROM usage_record WHERE message_id = item.corrects)
            AND (\(ClosedRecords.refusal(time: "item.\"timestamp\""))) IS NULL
        """

    /// Prevents changes of the staged attributions until the end of the transaction; returns the keys
    /// of those that have changed.
    static let lockAttributions = """
        WITH locked AS MATERIALIZED (
            SELECT staged.attribution_key
            FROM staged_attribution AS staged JOIN usage_attribution AS stored
                ON stored.attribution_id = staged.attribution_id
                AND stored.digest = staged.digest
            FOR KEY SHARE OF stored)
        SELECT attribution_key FROM staged_attribution
        WHERE attribution_id IS NOT NULL
            AND attribution_key NOT IN (SELECT attribution_key FROM locked)
        """

    /// A row if an external id is staged under several message ids.
    static let findShared = """
        SELECT FROM staged_message WHERE external_id IS NOT NULL
        GROUP BY external_id HAVING min(message_id) < max(message_id) LIMIT 1
        """

    /// The messages to insert, in order; among equal ids of staged ones, the first.
    var inserted: String {
        let acceptable = "FROM \(priced) WHERE \(isAcceptable)"
        guard case .staged(_, let externalIDs) = source, externalIDs != .shared else {
            return "\(acceptable) ORDER BY item_number"
        }
        let first = """
            (SELECT DISTINCT ON (message_id) * \(acceptable) ORDER BY message_id, item_number)
            """
        let order = externalIDs == .none ? "" : "ORDER BY external_id COLLATE \"C\", message_id"
        return "FROM \(first) AS item \(order)"
    }
}

/// The models of many messages.
extension RecordingStatements {
    /// An array of them, for the rates.
    private var models: String {
        if isStaged { return "ARRAY(SELECT DISTINCT model FROM staged_message)" }
        return isPlain ? "ARRAY['']" : "$\(Self.messages.count + 3)::text[]"
    }

    /// The periods of the rates for these models.
    ///
    /// PostgreSQL expects ten elements of an array, and would compare each of ten thousand messages
    /// with each of ten thousand periods. It expects a thousand rows of a series of a length that it
    /// does not know, here 1, and so builds a hash table.
    var periods: String {
        let periods = "credit_rate_periods(\(models))"
        if isStaged || isPlain { return periods }
        let series = "generate_series(1, least(1, cardinality(\(models))))"
        return "(SELECT period.* FROM \(periods) AS period, \(series))"
    }
}

/// Ids that the database chooses.
extension RecordingStatements {
    /// The largest client id past which the sequence is advanced: 2^52.
    private static let followedIDLimit: Int64 = 1 << 52

    /// The sequence of the identity column.
    static let sequence = "'usage_record_message_id_seq'"

    /// The next $1 ids.
    static let chooseIDs = "SELECT nextval(\(sequence)) FROM generate_series(1, $1::bigint)"

    /// Advances the sequence past the ids that clients have chosen, and at least by $1.
    ///
    /// The sequence ends before 2^53, above which JavaScript rounds integers. Client ids above 2^52
    /// do not advance it: one id close to the end would leave none to assign.
    static let advance = """
        SELECT setval(\(sequence), greatest(newest, last + $1::bigint, 1))
        FROM (SELECT pg_advisory_xact_lock(7110416212)) AS one_at_a_time,
            (SELECT greatest(
                (SELECT max(message_id) FROM usage_record WHERE message_id <= \(followedIDLimit)),
                (SELECT max(message_id) FROM usage_closed_id WHERE message_id <= \(followedIDLimit))
             ) AS newest) AS recorded,
            (SELECT coalesce(pg_sequence_last_value(\(sequence)::regclass), 0) AS last) AS sequence
        """

    /// Advances the sequence past the ids of the staged messages.
    ///
    /// A sequence must never go back, which `setval` could cause. So short distances use `nextval`;
    /// over a long one, other transactions cannot overtake in the meantime.
    var advanceIdentity: String {
        """
        SELECT CASE WHEN newest - last > 1000000 THEN setval(sequence, newest)
                    ELSE (
                        SELECT max(step)
                        FROM (SELECT nextval(sequence) AS step
                              FROM generate_series(1, newest - last)) AS steps
                    ) END
        FROM (
            SELECT max(message_id) AS newest FROM \(priced)
            WHERE \(isAcceptable) AND message_id BETWEEN 1 AND \(Self.followedIDLimit)
        ) AS staged, (
            SELECT sequence, coalesce(pg_sequence_last_value(sequence), 0) AS last
            FROM (SELECT pg_get_serial_sequence('usage_record', 'message_id')::regclass AS sequence)
                AS named
        ) AS identity
        WHERE newest > last
        """
    }
}
