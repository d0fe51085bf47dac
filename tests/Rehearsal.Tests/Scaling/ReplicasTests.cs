using Millrace.Rehearsal.Scaling;

namespace Millrace.Rehearsal.Tests.Scaling;

public sealed class ReplicasTests
{
    [Theory]
    [InlineData(240, 20, 1, 12)] // 240 : 20
    [InlineData(41, 20, 1, 3)] // a part of a replica is a replica
    [InlineData(22, 20, 1, 1)] // 22 : 20 is 1.1, the edge of the tolerance
    [InlineData(23, 20, 1, 2)]
    [InlineData(20, 20, 1, 1)]
    [InlineData(18, 20, 1, 1)]
    [InlineData(0, 20, 1, 0)]
    [InlineData(90, 20, 5, 5)] // 90 : 100 is 0.9, the other edge
    [InlineData(89, 20, 5, 5)] // past it, and yet five: 4.45 rounds up
    [InlineData(80, 20, 5, 4)]
    [InlineData(110, 20, 5, 5)]
    [InlineData(111, 20, 5, 6)]
    [InlineData(2.5, 2.5, 1, 1)]
    [InlineData(7.6, 2.5, 1, 4)]
    public void Given_a_metric_When_replicas_are_proposed_Then_they_are_what_the_formula_gives(double metric, double value, int current, int expected) =>
        Assert.Equal(expected, Replicas.Propose(metric, value, current));
}
