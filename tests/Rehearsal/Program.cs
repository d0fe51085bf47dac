using Millrace.Rehearsal.Load;
using Millrace.Rehearsal.Run;

// make rehearse-autoscale, make load
return args switch
{
    ["autoscale", .. var more] => await Autoscale.RunAsync(more),
    ["load"] => await LoadTest.RunAsync(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("autoscale [--factor 10]: from none to the most workers and back, by the chart's ScaledObject\nload: 200 clients at once on one worker, two, and a pool that scales");
    return 2;
}
