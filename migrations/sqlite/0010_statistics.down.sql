-- What was released is forgotten here; it stays in the log. Differences to it are no longer looked at.

DROP TABLE statistics_figure;
DROP TABLE statistics_release;
