package main

import (
	"bufio"
	"encoding/binary"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v4"
)

const selectRecords = `
	SELECT message_id, "timestamp", report_name, credit_hundredths
	FROM usage_record ORDER BY "timestamp", message_id`

// PostgreSQL counts microseconds from 2000-01-01.
const postgresEpoch = 946_684_800_000_000

func (s *Service) read(w http.ResponseWriter, r *http.Request) {
	statement := selectRecords
	arguments := []interface{}{pgx.QueryResultFormats{pgx.BinaryFormatCode}}
	if text := r.URL.Query().Get("limit"); text != "" {
		limit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || limit < 1 {
			http.Error(w, "limit must be a positive number", http.StatusBadRequest)
			return
		}
		statement += " LIMIT $1"
		arguments = append(arguments, limit)
	}
	rows, err := s.pool.Query(r.Context(), statement, arguments...)
	if err != nil {
		unavailable(w, err)
		return
	}
	defer rows.Close()

	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 64<<10)
	var encoder Encoder
	out.WriteString(`{"usage":[`)
	separator := ""
	for rows.Next() {
		out.WriteString(separator)
		if _, err := out.Write(encoder.encode(out.AvailableBuffer(), rows.RawValues())); err != nil {
			return // The client has gone.
		}
		separator = ","
	}
	if err := rows.Err(); err != nil {
		log.Print(err)
		return // Without the closing brackets; FastCGI has no other sign for a broken answer.
	}
	out.WriteString("]}")
	out.Flush()
}

// Encoder appends records as JSON. It keeps the date of the last one, which most of the next share.
type Encoder struct {
	day  int64
	date []byte
}

// encode appends a row of binary values.
func (e *Encoder) encode(buffer []byte, row [][]byte) []byte {
	buffer = append(buffer, `{"message_id":`...)
	buffer = strconv.AppendInt(buffer, integer(row[0]), 10)
	buffer = append(buffer, `,"timestamp":"`...)
	buffer = e.appendTime(buffer, integer(row[1])+postgresEpoch)
	buffer = append(buffer, '"')
	if row[2] != nil {
		buffer = append(buffer, `,"report_name":"`...)
		buffer = appendEscaped(buffer, row[2])
		buffer = append(buffer, '"')
	}
	buffer = append(buffer, `,"credits_used":`...)
	buffer = appendCredits(buffer, integer(row[3]))
	return append(buffer, '}')
}

func integer(value []byte) int64 {
	return int64(binary.BigEndian.Uint64(value))
}

func (e *Encoder) appendTime(buffer []byte, microseconds int64) []byte {
	const daily = 86_400_000_000
	day, rest := microseconds/daily, microseconds%daily
	if rest < 0 {
		day, rest = day-1, rest+daily
	}
	if e.date == nil || day != e.day {
		e.day = day
		e.date = time.Unix(day*86_400, 0).UTC().AppendFormat(e.date[:0], "2006-01-02T")
	}
	seconds, fraction := rest/1_000_000, rest%1_000_000
	buffer = append(buffer, e.date...)
	buffer = appendTwo(buffer, seconds/3600)
	buffer = append(buffer, ':')
	buffer = appendTwo(buffer, seconds/60%60)
	buffer = append(buffer, ':')
	buffer = appendTwo(buffer, seconds%60)
	if fraction != 0 {
		buffer = append(buffer, '.')
		buffer = appendTwo(buffer, fraction/10_000)
		buffer = appendTwo(buffer, fraction/100%100)
		buffer = appendTwo(buffer, fraction%100)
	}
	return append(buffer, 'Z')
}

func appendTwo(buffer []byte, value int64) []byte {
	return append(buffer, byte('0'+value/10), byte('0'+value%10))
}

func appendCredits(buffer []byte, hundredths int64) []byte {
	buffer = strconv.AppendInt(buffer, hundredths/100, 10)
	buffer = append(buffer, '.')
	return appendTwo(buffer, hundredths%100)
}

// appendEscaped appends UTF-8 as the inside of a JSON string.
func appendEscaped(buffer []byte, text []byte) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		buffer = append(buffer, text[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			buffer = append(buffer, '\\', c)
		case '\b':
			buffer = append(buffer, `\b`...)
		case '\f':
			buffer = append(buffer, `\f`...)
		case '\n':
			buffer = append(buffer, `\n`...)
		case '\r':
			buffer = append(buffer, `\r`...)
		case '\t':
			buffer = append(buffer, `\t`...)
		default:
			buffer = append(buffer, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(buffer, text[start:]...)
}
