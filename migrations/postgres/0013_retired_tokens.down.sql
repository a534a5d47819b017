-- What was retired matches again.

DROP TABLE retired_token;
