using Millrace.Storage.Jobs;

namespace Millrace.Storage.Tests;

public sealed class JobIdTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Given_ids_When_written_and_read_Then_they_are_the_same()
    {
        for (var at = 0; at < 1000; at++)
        {
            var id = JobId.New(Now);
            Assert.Matches("^job_[0-9A-HJKMNP-TV-Z]{26}$", id.ToString());
            Assert.True(JobId.TryParse(id.ToString(), out var read));
            Assert.Equal(id, read);
            Assert.True(JobId.TryParse("job_" + id.ToString()[4..].ToLowerInvariant(), out read));
            Assert.Equal(id, read);
        }
    }

    [Fact]
    public void Given_a_known_value_When_written_Then_it_is_Crockfords_base32_of_its_128_bits()
    {
        Assert.Equal("job_00000000000000000000000000", new JobId(Guid.Empty).ToString());
        Assert.Equal("job_00000000000000000000000010", new JobId(Guid.Parse("00000000-0000-0000-0000-000000000020")).ToString());
        Assert.Equal("job_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", new JobId(Guid.Parse("ffffffff-ffff-ffff-ffff-ffffffffffff")).ToString());
    }

    [Fact]
    public void Given_a_time_When_an_id_is_made_Then_it_is_a_version_7_UUID_of_that_time()
    {
        var id = JobId.New(Now).Value;
        Assert.Equal(7, id.Version);
        Assert.InRange(id.Variant, 8, 11);
        Assert.Equal(Now.ToUnixTimeMilliseconds(), Convert.ToInt64(id.ToString("N")[..12], 16));
    }

    [Fact]
    public void Given_ids_of_growing_times_When_sorted_as_text_or_by_value_Then_they_are_in_the_order_of_birth()
    {
        var ids = Enumerable.Range(0, 5000).Select(at => JobId.New(Now.AddTicks(at * 10L))).ToArray();
        Assert.Equal(ids.Select(i => i.ToString()), ids.Select(i => i.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(ids.Select(i => i.Value), ids.Select(i => i.Value).Order());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("job_")]
    [InlineData("00000000000000000000000000")]
    [InlineData("JOB_00000000000000000000000000")]
    [InlineData("job_0000000000000000000000000")]
    [InlineData("job_000000000000000000000000000")]
    [InlineData("job_0000000000000000000000000U")]
    [InlineData("job_0000000000000000000000000I")]
    [InlineData("job_0000000000000000000000000 ")]
    [InlineData("job_0000000000000000000000000\u0131")]
    [InlineData("job_80000000000000000000000000")]
    [InlineData("job_ZZZZZZZZZZZZZZZZZZZZZZZZZZ")]
    public void Given_text_that_is_no_id_When_read_Then_it_is_refused(string? text) => Assert.False(JobId.TryParse(text, out _));
}
