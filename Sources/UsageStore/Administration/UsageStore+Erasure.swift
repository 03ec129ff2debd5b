import Postgres
import Threads
import Usage

/// Where the database has the id of a user.
public struct UserTraces: Equatable, Sendable {
    /// The attributions whose user or named tags have it.
    public var attributions = 0
    /// Their records.
    public var records = 0
    /// Those of the user's records with a text or a digest.
    public var texts = 0
    /// The keys that are bound to it.
    public var keys = 0
    /// The budgets of the user.
    public var budgets = 0
    /// Where else it is; an erasure changes nothing there.
    public var others: [Mention] = []

    /// A place that has the id.
    public struct Mention: Equatable, Sendable {
        /// The place, such as `tags.owner`.
        public let place: String
        /// The number of records or, if the place is of a key, of keys.
        public let count: Int
        /// The ids of the first of them.
        public let ids: [String]
    }
}

/// Statements of erasures; $1 is the id of the user, $2 an array of the named tags.
enum Erasure {
    private static func named(_ tags: String) -> String {
        "EXISTS (SELECT FROM unnest($2::text[]) AS tag(key) WHERE \(tags) ->> tag.key = $1::text)"
    }

    private static let ofUser = "(user_id = $1::text OR \(named("tags")))"
    private static let ofKey = "(bound_user_id = $1::text OR \(named("bound_tags")))"

    static let traces = """
        SELECT count(*), coalesce(sum(records), 0)::bigint, coalesce(sum(texts), 0)::bigint,
            (SELECT count(*) FROM api_key WHERE \(ofKey)),
            (SELECT count(*) FROM budget WHERE user_id = $1::text)
        FROM (SELECT * FROM usage_attribution WHERE \(ofUser) OFFSET 0) AS attribution,
            LATERAL (SELECT count(*) AS records, count(*) FILTER (WHERE user_id = $1::text
                    AND (message_text IS NOT NULL OR text_digest IS NOT NULL)) AS texts
                FROM usage_record WHERE attribution_id = attribution.attribution_id) AS record
        """

    static let mentions = """
        SELECT place, count(*), (array_agg(id ORDER BY id))[1:5]::text FROM (
            SELECT place, message_id AS id
            FROM (SELECT attribution_id, 'tags.' || key AS place
                  FROM usage_attribution, jsonb_each_text(tags)
                  WHERE value = $1::text AND key <> ALL ($2::text[])
                  UNION ALL
                  SELECT attribution_id, 'team_id' FROM usage_attribution WHERE team_id = $1::text
                 ) AS attribution JOIN usage_record USING (attribution_id)
            UNION ALL
            SELECT place, message_id
            FROM usage_record, LATERAL (VALUES ('external_id', external_id),
                ('report_name', report_name), ('reason', reason)) AS text(place, value)
            WHERE strpos(value, $1::text) > 0
        ) AS mention GROUP BY place
        UNION ALL
        SELECT place, count(*), (array_agg(key_id ORDER BY key_id))[1:5]::text FROM (
            SELECT 'name of a key' AS place, key_id FROM api_key WHERE strpos(name, $1::text) > 0
            UNION ALL
            SELECT 'team_id of a key', key_id FROM api_key WHERE bound_team_id = $1::text
            UNION ALL
            SELECT 'tags.' || key || ' of a key', key_id
            FROM api_key, jsonb_each_text(bound_tags)
            WHERE value = $1::text AND key <> ALL ($2::text[])
        ) AS mention GROUP BY place
        UNION ALL
        SELECT 'name of a budget', count(*), (array_agg(name ORDER BY name))[1:5]::text
        FROM budget WHERE strpos(name, $1::text) > 0 HAVING count(*) > 0
        ORDER BY 1
        """

    /// $3 in the place of the id in `tags`.
    private static func renamed(_ tags: String) -> String {
        """
        (SELECT jsonb_object_agg(key, CASE WHEN key = ANY ($2::text[]) AND value = to_jsonb($1::text)
                THEN to_jsonb($3::text) ELSE value END) FROM jsonb_each(\(tags)))
        """
    }

    /// Puts $3 in the place of the id.
    static let renameUser = """
        UPDATE usage_attribution AS attribution SET user_id = renamed.user_id, tags = renamed.tags,
            digest = usage_attribution_digest(renamed.user_id, team_id, model, renamed.tags)
        FROM (SELECT attribution_id,
                CASE WHEN user_id = $1::text THEN $3::text ELSE user_id END AS user_id,
                coalesce(\(renamed("tags")), '{}') AS tags
              FROM usage_attribution WHERE \(ofUser)) AS renamed
        WHERE attribution.attribution_id = renamed.attribution_id
        RETURNING 1
        """

    static let revokeKeys = """
        UPDATE api_key SET revoked_at = coalesce(revoked_at, now()),
            bound_user_id = CASE WHEN bound_user_id = $1::text THEN $3::text ELSE bound_user_id END,
            bound_tags = \(renamed("bound_tags"))
        WHERE \(ofKey)
        RETURNING 1
        """

    /// Ends the budgets of the user $1, and puts $2 in the place of the id.
    static let endBudgets = """
        UPDATE budget SET user_id = $2::text, ends_at = CASE
            WHEN coalesce(ends_at, 'infinity') > now() THEN greatest(begins_at, now()) ELSE ends_at END
        WHERE user_id = $1::text
        RETURNING 1
        """

    /// Locks the events of the user's budgets; an attempt to deliver one keeps it for ten seconds.
    static let lockEvents = """
        SELECT FROM budget_event
        WHERE budget_id IN (SELECT budget_id FROM budget WHERE user_id = $1::text) FOR UPDATE
        """

    /// Replaces the user in the bodies of events.
    static let renameInEvents = """
        UPDATE budget_event SET body = replace(body, '"user_id":' || to_json($1::text),
            '"user_id":' || to_json($2::text))
        WHERE budget_id IN (SELECT budget_id FROM budget WHERE user_id = $2::text)
        """

    /// The transactions that are recording.
    static let writers = """
        SELECT DISTINCT virtualtransaction FROM pg_locks
        WHERE relation = 'usage_record'::regclass AND mode = 'RowExclusiveLock' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND pid <> pg_backend_pid()
        """
}

extension UsageStore {
    /// Counts and lists where the database has the id of a user; an erasure changes the named tags.
    ///
    /// Reads all records.
    public func traces(of userID: String, tags: [String]) throws -> UserTraces {
        try reportingUnavailability {
            let connection = try connected()
            let parameters: [Parameter] = [.text(userID), .array(tags.map { Optional($0) })]
            let row = try QueryReader(
                connection, "user_traces", Erasure.traces, parameters, isStreamed: false)
            var traces = UserTraces()
            guard try row.next() else { return traces }
            traces.attributions = Int(row.integer(0))
            traces.records = Int(row.integer(1))
            traces.texts = Int(row.integer(2))
            traces.keys = Int(row.integer(3))
            traces.budgets = Int(row.integer(4))
            let others = try QueryReader(
                connection, "user_mentions", Erasure.mentions, parameters, isStreamed: false)
            while try others.next() {
                let ids = (others.string(2) ?? "").filter { $0 != "{" && $0 != "}" }
                traces.others.append(
                    .init(
                        place: others.string(0) ?? "", count: Int(others.integer(1)),
                        ids: ids.split(separator: ",").map(String.init)))
            }
            return traces
        }
    }

    /// Removes the texts and digests of all erased users, in short transactions; calls `progress`
    /// with the number removed so far.
    ///
    /// First waits up to a minute for the transactions that are recording, because they may have the
    /// attribution of a user who has just been erased. Those still open afterwards count as skipped.
    public func eraseTextsOfErasedUsers(progress: (Int) -> Void) throws -> ErasedTexts {
        try reportingUnavailability {
            let connection = try connected()
            let writers = try Self.writers(connection)
            let end = ContinuousClock.now + .seconds(60)
            while try .now < end && !writers.isDisjoint(with: Self.writers(connection)) {
                pause(for: .milliseconds(20))
            }
            var erased = try erase(.ofErasedUsers, progress)
            erased.skipped += try writers.intersection(Self.writers(connection)).count
            return erased
        }
    }

    private static func writers(_ connection: Connection) throws -> Set<String> {
        let result = try connection.query(Erasure.writers)
        return Set((0..<result.count).compactMap { result[$0, 0] })
    }
}
