-- What the operator stops without taking it away.

CREATE TABLE suspended_feed (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- whose feed
    feed               TEXT   NOT NULL,     -- its records contribute to no answer while this row is here
    since              BIGINT NOT NULL,     -- when it was suspended
    PRIMARY KEY (programme, agency, feed)
);
