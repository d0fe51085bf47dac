using Millrace.Rehearsal.Run;

// make rehearse-autoscale, make load
return args switch
{
    ["autoscale", .. var more] => await Autoscale.RunAsync(more),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("autoscale [--factor 10]: from none to the most workers and back, by the chart's ScaledObject");
    return 2;
}
