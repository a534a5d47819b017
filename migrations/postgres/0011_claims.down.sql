DROP TABLE referral;
DROP TABLE engagement_baseline;
