DROP TABLE suspended_feed;
