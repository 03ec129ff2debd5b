-- migrate:up

-- Keys for programs: "orb_<key_id>_<secret>". Whoever reads this table learns no key, because
-- only the digest of the secret is kept; with 256 random bits it needs no salt and no slow hash.
CREATE TABLE api_key (
    -- Public: it is the key's name in lists and the argument of `orbitalctl keys revoke`.
    key_id text CONSTRAINT api_key_pkey PRIMARY KEY
        CONSTRAINT api_key_key_id_check CHECK (key_id ~ '^[0-9a-f]{12}$'),

    -- What the key is for, in its owner's words.
    name text NOT NULL
        CONSTRAINT api_key_name_check CHECK (char_length(name) BETWEEN 1 AND 200),

    secret_sha256 bytea NOT NULL
        CONSTRAINT api_key_secret_sha256_check CHECK (octet_length(secret_sha256) = 32),

    scopes text[] NOT NULL
        CONSTRAINT api_key_scopes_check
            CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['usage:read', 'usage:write']),

    created_at timestamptz NOT NULL DEFAULT now(),

    -- From this instant on the key is refused; NULL when it never expires.
    expires_at timestamptz,

    -- When it was revoked. Rows stay, so that an old log line can still be understood.
    revoked_at timestamptz
);

COMMENT ON TABLE api_key IS 'Keys for programs; secrets are kept as SHA-256 only';

-- migrate:down
DROP TABLE api_key;
