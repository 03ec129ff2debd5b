package main

import (
	"context"
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
		(message_id, "timestamp", report_name, message_text, credit_hundredths, credit_rate_id)
	SELECT *, 1
	FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
	ORDER BY 1
	ON CONFLICT (message_id) DO NOTHING
	RETURNING message_id`

// Message is one that a client sends.
type Message struct {
	ID         *int64     `json:"message_id"`
	Timestamp  *time.Time `json:"timestamp"`
	ReportName *string    `json:"report_name"`
	Text       *string    `json:"message_text"`
}

// Batch holds the columns that are inserted.
type Batch struct {
	ids        []int64
	times      []time.Time
	names      []*string
	texts      []string
	hundredths []int64
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
		if message.Text == nil {
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
		make([]string, count), make([]int64, count),
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
		batch.texts[i] = *message.Text
		batch.hundredths[i] = price(*message.Text)
	}
	return batch, nil
}

// price is 40 credits for 100 tokens of 4 characters, in hundredths, and 1.00 at least.
func price(text string) int64 {
	hundredths := (int64(utf8.RuneCountInString(text))*4000 + 200) / 400
	if hundredths < 100 {
		return 100
	}
	return hundredths
}

// insert records the batch; the ids of what was not there before.
func (s *Service) insert(ctx context.Context, b *Batch) (map[int64]bool, error) {
	ids, err := s.integers(ctx, insertMessages, b.ids, b.times, b.names, b.texts, b.hundredths)
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
