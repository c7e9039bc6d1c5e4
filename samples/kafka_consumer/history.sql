-- What was said, as it was said. row: place in the frame's list.
CREATE TABLE IF NOT EXISTS sightings (
    run TEXT, camera TEXT, track_id INTEGER, frame INTEGER, row INTEGER, time_ns INTEGER, said_id INTEGER,
    left REAL, top REAL, width REAL, height REAL, confidence REAL,
    PRIMARY KEY (run, camera, frame, track_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    run TEXT, sequence INTEGER, kind TEXT, time_ns INTEGER, global_id INTEGER, camera TEXT, track_id INTEGER,
    other_id INTEGER, since_ns INTEGER, reason TEXT,
    PRIMARY KEY (run, sequence)
) WITHOUT ROWID;

-- A track's first identity, which its earlier sightings without one take: by its sightings, and by the events.
CREATE TABLE IF NOT EXISTS tracks (
    run TEXT, camera TEXT, track_id INTEGER, source TEXT, first_id INTEGER, first_ns INTEGER,
    PRIMARY KEY (run, camera, track_id, source)
) WITHOUT ROWID;

-- What an identity said of a track means by now, in sightings from from_ns on, before until_ns. named_id: before any
-- correction; it differs from said_id in sightings without an identity that take the track's first.
CREATE TABLE IF NOT EXISTS names (
    run TEXT, camera TEXT, track_id INTEGER, said_id INTEGER, from_ns INTEGER, until_ns INTEGER, named_id INTEGER,
    global_id INTEGER,
    PRIMARY KEY (run, camera, track_id, said_id, from_ns)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_by_identity ON names (run, global_id);
CREATE INDEX IF NOT EXISTS corrections ON events (run, kind);

-- Who was where in each frame, as known by now; -1 where nobody can be named. Where corrections give one identity to two
-- people of a frame, who was said to be that person all along keeps it, else who was first named so.
CREATE VIEW IF NOT EXISTS history AS
SELECT run, camera, frame, track_id, CASE WHEN claim = 1 THEN global_id ELSE -1 END AS global_id,
       left, top, width, height, confidence, time_ns
FROM (
    SELECT s.*, n.global_id, row_number() OVER (
        PARTITION BY s.run, s.camera, s.frame, n.global_id
        ORDER BY s.said_id = n.global_id DESC, n.named_id = n.global_id DESC, CASE WHEN s.said_id = n.global_id THEN -s.row ELSE s.row END
    ) AS claim
    FROM sightings s JOIN names n
        ON (n.run, n.camera, n.track_id, n.said_id) = (s.run, s.camera, s.track_id, s.said_id)
        AND n.from_ns <= s.time_ns AND s.time_ns < n.until_ns
);

-- From when to when each person was before each camera; a pause of more than 10 s begins another visit.
CREATE VIEW IF NOT EXISTS visits AS
SELECT run, global_id, camera, min(time_ns) AS from_ns, max(time_ns) AS until_ns, count(*) AS frames
FROM (
    SELECT *, sum(begins) OVER (PARTITION BY run, global_id, camera ORDER BY time_ns) AS visit
    FROM (
        SELECT *, coalesce(
            time_ns - lag(time_ns) OVER (PARTITION BY run, global_id, camera ORDER BY time_ns) > 10000000000, 1
        ) AS begins
        FROM history WHERE global_id >= 0
    )
)
GROUP BY run, global_id, camera, visit;
