package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	jsoniter "github.com/json-iterator/go"
)

const bodyLimit = 8 << 20

const nextIDs = `SELECT nextval('usage_record_message_id_seq') FROM generate_series(1, $1::int)`

// In the order of ids, so that retries of one batch cannot wait for each other.
const insertMessages = `
	INSERT INTO usage_record
		(message_id, "timestamp", report_name, message_text, credit_hundredths, attribution_id, input_tokens,
			output_tokens, credit_rate_id)
	SELECT *, 1
	FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::integer[],
		$7::integer[], $8::integer[])
	ORDER BY 1
	ON CONFLICT (message_id) DO NOTHING
	RETURNING message_id`

const attributionNumber = `SELECT usage_attribution($1, $2, $3, $4::jsonb)`

// Message is one that a client sends.
type Message struct {
	ID           *int64            `json:"message_id"`
	Timestamp    *time.Time        `json:"timestamp"`
	ReportName   *string           `json:"report_name"`
	Text         *string           `json:"message_text"`
	UserID       string            `json:"user_id"`
	TeamID       string            `json:"team_id"`
	Model        string            `json:"model"`
	Tags         map[string]string `json:"tags"`
	InputTokens  *int32            `json:"input_tokens"`
	OutputTokens *int32            `json:"output_tokens"`
}

// Batch holds the columns that are inserted.
type Batch struct {
	ids          []int64
	times        []time.Time
	names        []*string
	texts        []*string
	hundredths   []int64
	attributions []*int32
	inputs       []*int32
	outputs      []*int32
}

func (s *Service) record(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		http.Error(w, "the body is too long", http.StatusRequestEntityTooLarge)
		return
	}
	var messages []Message
	if err := jsoniter.ConfigFastest.Unmarshal(body, &messages); err != nil {
		http.Error(w, "the body must be a JSON array of messages", http.StatusUnprocessableEntity)
		return
	}
	for _, message := range messages {
		if message.Text == nil && message.InputTokens == nil && message.OutputTokens == nil {
			http.Error(w, "message_text is missing", http.StatusUnprocessableEntity)
			return
		}
	}
	batch, err := s.batch(r.Context(), messages)
	if err != nil {
		unavailable(w, err)
		return
	}
	created, err := s.insert(r.Context(), batch)
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer(batch, created))
}

// batch prices the messages, and gives ids to those without one.
func (s *Service) batch(ctx context.Context, messages []Message) (*Batch, error) {
	missing := 0
	for _, message := range messages {
		if message.ID == nil {
			missing++
		}
	}
	var chosen []int64
	if missing > 0 {
		var err error
		if chosen, err = s.integers(ctx, nextIDs, missing); err != nil {
			return nil, err
		}
	}
	count := len(messages)
	batch := &Batch{
		make([]int64, count), make([]time.Time, count), make([]*string, count),
		make([]*string, count), make([]int64, count), make([]*int32, count),
		make([]*int32, count), make([]*int32, count),
	}
	now := time.Now()
	for i, message := range messages {
		if message.ID != nil {
			batch.ids[i] = *message.ID
		} else {
			batch.ids[i], chosen = chosen[0], chosen[1:]
		}
		batch.times[i] = now
		if message.Timestamp != nil {
			batch.times[i] = *message.Timestamp
		}
		batch.names[i] = message.ReportName
		batch.texts[i] = message.Text
		batch.inputs[i], batch.outputs[i] = message.InputTokens, message.OutputTokens
		batch.hundredths[i] = price(message)
		var err error
		if batch.attributions[i], err = s.attribution(ctx, message); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

// price is 40 credits for 100 tokens, reported or of 4 characters, in hundredths, and 1.00 at least.
func price(message Message) int64 {
	var hundredths int64
	if message.InputTokens != nil || message.OutputTokens != nil {
		for _, tokens := range []*int32{message.InputTokens, message.OutputTokens} {
			if tokens != nil {
				hundredths += int64(*tokens) * 40
			}
		}
	} else {
		hundredths = (int64(utf8.RuneCountInString(*message.Text))*4000 + 200) / 400
	}
	if hundredths < 100 {
		return 100
	}
	return hundredths
}

// attribution is the number of user, team, model and tags, which is looked up once; nil if all are absent.
func (s *Service) attribution(ctx context.Context, message Message) (*int32, error) {
	if message.UserID == "" && message.TeamID == "" && message.Model == "" && len(message.Tags) == 0 {
		return nil, nil
	}
	tags, err := json.Marshal(message.Tags) // sorted by key
	if err != nil {
		return nil, err
	}
	key := message.UserID + "\x00" + message.TeamID + "\x00" + message.Model + "\x00" + string(tags)
	if known, ok := s.attributions.Load(key); ok {
		return known.(*int32), nil
	}
	number := new(int32)
	row := s.pool.QueryRow(
		ctx, attributionNumber, message.UserID, message.TeamID, message.Model, string(tags))
	if err := row.Scan(number); err != nil {
		return nil, err
	}
	s.attributions.Store(key, number)
	return number, nil
}

// insert records the batch; the ids of what was not there before.
func (s *Service) insert(ctx context.Context, b *Batch) (map[int64]bool, error) {
	ids, err := s.integers(ctx, insertMessages, b.ids, b.times, b.names, b.texts, b.hundredths,
		b.attributions, b.inputs, b.outputs)
	if err != nil {
		return nil, err
	}
	created := make(map[int64]bool, len(ids))
	for _, id := range ids {
		created[id] = true
	}
	return created, nil
}

// integers is the one column that a statement returns.
func (s *Service) integers(ctx context.Context, statement string, arguments ...interface{}) ([]int64, error) {
	rows, err := s.pool.Query(ctx, statement, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []int64
	for rows.Next() {
		values = append(values, integer(rows.RawValues()[0]))
	}
	return values, rows.Err()
}

func answer(batch *Batch, created map[int64]bool) []byte {
	body := make([]byte, 0, 32+96*len(batch.ids))
	body = append(body, `{"created":`...)
	body = strconv.AppendInt(body, int64(len(created)), 10)
	body = append(body, `,"results":[`...)
	for index, id := range batch.ids {
		if index > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"index":`...)
		body = strconv.AppendInt(body, int64(index), 10)
		body = append(body, `,"message_id":`...)
		body = strconv.AppendInt(body, id, 10)
		if created[id] {
			created[id] = false // The same id again is a duplicate.
			body = append(body, `,"status":"created","credits_used":`...)
		} else {
			body = append(body, `,"status":"duplicate","credits_used":`...)
		}
		body = appendCredits(body, batch.hundredths[index])
		body = append(body, '}')
	}
	return append(body, "]}"...)
}
